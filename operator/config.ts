/**
 * Every environment variable of the operator, once. The chart sets them; values that are left out have the defaults here.
 */
import { z } from 'zod';
import { WORKER_SHARE } from '../workers/contract/copyplan.ts';

const port = z.coerce.number().int().min(1).max(65_535);
const seconds = z.coerce.number().int().min(1);
const text = z.string().min(1);
/** The chart writes an empty string for what is not set. */
const optional = z
  .string()
  .transform((value) => (value === '' ? undefined : value))
  .optional();

const environment = z.object({
  /** Image of the workers: the operator's own. */
  EBBFLOW_IMAGE: text,
  /** Name of this cluster: the first part of every key in the results bucket. */
  EBBFLOW_CLUSTER: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a DNS label')
    .default('default'),
  /** URL of the S3 endpoint of the results store; empty: Amazon S3. */
  EBBFLOW_RESULTS_ENDPOINT: optional,
  /** Region that requests to it are signed for. */
  EBBFLOW_RESULTS_REGION: z.string().min(1).default('us-east-1'),
  /** Bucket of the results. */
  EBBFLOW_RESULTS_BUCKET: text,
  /** Whether the bucket stands in the path or in the host name; empty: Path with an endpoint, else Virtual. */
  EBBFLOW_RESULTS_ADDRESSING: z.enum(['Path', 'Virtual', '']).default(''),
  /** Directory with the files of the credentials' Secret; empty: workload identity. */
  EBBFLOW_RESULTS_CREDENTIALS: optional,
  /** Directory with tls.crt, tls.key and ca.crt of the worker API. */
  EBBFLOW_TLS_DIRECTORY: text,
  /** Address at which pods reach the worker API: the cluster IP of its Service. */
  EBBFLOW_WORKER_API_HOST: text,
  /** Port of the worker API, here and at its Service. */
  EBBFLOW_WORKER_API_PORT: port.default(8443),
  /** Name that the certificate of the worker API is issued for. */
  EBBFLOW_WORKER_API_SERVER_NAME: text,
  /** Port of /metrics, /healthz and /readyz. */
  EBBFLOW_METRICS_PORT: port.default(8080),
  /** Port of the results API, on loopback only. */
  EBBFLOW_RESULTS_API_PORT: port.default(8081),
  /** File of the results index; it is rebuilt from the bucket when it is missing. */
  EBBFLOW_INDEX_FILE: z.string().min(1).default('/var/lib/ebbflow/index.sqlite'),
  /** How long a refusing results store holds a run's compute. */
  EBBFLOW_COMMIT_TIMEOUT_SECONDS: seconds.default(3600),
  /** How long a node may be silent before its pods are given up. */
  EBBFLOW_NODE_LOST_SECONDS: seconds.default(60),
  /** How much work makes another worker of a copy worth its start: objects, and one more for every 64 MiB. */
  EBBFLOW_COPY_WORKER_SHARE: z.coerce.number().int().min(1).default(WORKER_SHARE),
  /** Runs that are worked on at once. */
  EBBFLOW_CONCURRENCY: z.coerce.number().int().min(1).max(256).default(16),
  EBBFLOW_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** Namespace and name of the operator's own pod. */
  EBBFLOW_NAMESPACE: text,
  EBBFLOW_POD_NAME: text,
});

export interface Config {
  image: string;
  cluster: string;
  results: {
    endpoint?: string;
    region: string;
    bucket: string;
    addressing: 'Path' | 'Virtual';
    credentials?: string;
  };
  tlsDirectory: string;
  workerApi: { host: string; port: number; serverName: string };
  metricsPort: number;
  resultsPort: number;
  indexFile: string;
  commitTimeoutSeconds: number;
  nodeLostSeconds: number;
  copyWorkerShare: number;
  concurrency: number;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  namespace: string;
  podName: string;
}

/**
 * Reads the configuration.
 * @throws Error that names every variable which is missing or malformed.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`the environment of the operator is not complete: ${problems.join('; ')}`);
  }
  const { data } = parsed;
  const endpoint = data.EBBFLOW_RESULTS_ENDPOINT;
  const credentials = data.EBBFLOW_RESULTS_CREDENTIALS;
  return {
    image: data.EBBFLOW_IMAGE,
    cluster: data.EBBFLOW_CLUSTER,
    results: {
      ...(endpoint === undefined ? {} : { endpoint }),
      region: data.EBBFLOW_RESULTS_REGION,
      bucket: data.EBBFLOW_RESULTS_BUCKET,
      addressing: data.EBBFLOW_RESULTS_ADDRESSING || (endpoint === undefined ? 'Virtual' : 'Path'),
      ...(credentials === undefined ? {} : { credentials }),
    },
    tlsDirectory: data.EBBFLOW_TLS_DIRECTORY,
    workerApi: {
      host: data.EBBFLOW_WORKER_API_HOST,
      port: data.EBBFLOW_WORKER_API_PORT,
      serverName: data.EBBFLOW_WORKER_API_SERVER_NAME,
    },
    metricsPort: data.EBBFLOW_METRICS_PORT,
    resultsPort: data.EBBFLOW_RESULTS_API_PORT,
    indexFile: data.EBBFLOW_INDEX_FILE,
    commitTimeoutSeconds: data.EBBFLOW_COMMIT_TIMEOUT_SECONDS,
    nodeLostSeconds: data.EBBFLOW_NODE_LOST_SECONDS,
    copyWorkerShare: data.EBBFLOW_COPY_WORKER_SHARE,
    concurrency: data.EBBFLOW_CONCURRENCY,
    logLevel: data.EBBFLOW_LOG_LEVEL,
    namespace: data.EBBFLOW_NAMESPACE,
    podName: data.EBBFLOW_POD_NAME,
  };
}
