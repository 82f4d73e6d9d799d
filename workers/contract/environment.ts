/**
 * What a pod of a stage is told: every environment variable and every path, once, with its meaning.
 * The operator writes them into the pod template; the workers read them with {@link readEnvironment}.
 */
import { z } from 'zod';

/** Environment variables of our containers. */
export const ENV = {
  /** Name of the PipelineRun. */
  run: 'EBBFLOW_RUN',
  /** UID of the PipelineRun. */
  runUID: 'EBBFLOW_RUN_UID',
  /** Namespace of the PipelineRun and of the pod. */
  namespace: 'EBBFLOW_NAMESPACE',
  /** Name of the stage. */
  stage: 'EBBFLOW_STAGE',
  /** Attempt of the stage, counted from 1. */
  attempt: 'EBBFLOW_ATTEMPT',
  /** Name of the pod (downward API). */
  podName: 'EBBFLOW_POD_NAME',
  /** UID of the pod (downward API): the identity of a worker attempt. */
  podUID: 'EBBFLOW_POD_UID',
  /** Name of the node (downward API). */
  nodeName: 'EBBFLOW_NODE_NAME',
  /** Index of the worker in the stage, from 0; set by the Job controller. */
  index: 'JOB_COMPLETION_INDEX',
  /** Base URL of the operator's worker API. */
  apiURL: 'EBBFLOW_API_URL',
  /** Name that the worker API's certificate is issued for: the URL has an address, so that no pod needs cluster DNS. */
  apiServerName: 'EBBFLOW_API_SERVER_NAME',
  /** PEM of the CA that the worker API's certificate is signed by. */
  apiCA: 'EBBFLOW_API_CA',
  /** File with the projected token for the worker API; read afresh on every use. */
  tokenFile: 'EBBFLOW_TOKEN_FILE',
  /** JSON of {@link WorkerSpec}. */
  spec: 'EBBFLOW_SPEC',
} as const;

/** Mount points, volume names and file names inside the pods. */
export const PATHS = {
  /** Holds the shim, copied in by the init container `fetch`. */
  bin: '/ebbflow/bin',
  shim: '/ebbflow/bin/shim',
  /** Where our image has it. */
  shimSource: '/usr/local/bin/ebbflow-shim',
  /** Shared by main and agent: the socket and the exit record. */
  run: '/ebbflow/run',
  socket: '/ebbflow/run/agent.sock',
  /** Written by the shim by rename after the command has ended; the fallback for a missed message. */
  exitRecord: '/ebbflow/run/exit.json',
  /** Token for the worker API, only in our containers. */
  tokenDirectory: '/var/run/ebbflow/token',
  tokenFile: '/var/run/ebbflow/token/token',
  /** One directory per store with the files of its Secret, only in our containers. */
  stores: '/var/run/ebbflow/stores',
  /** The n-th input and output as our containers see them; the user's container sees them at its own paths. */
  inputs: '/ebbflow/inputs',
  outputs: '/ebbflow/outputs',
  /** Where a copy works out a plan that is too large for memory. */
  scratch: '/ebbflow/scratch',
  terminationLog: '/dev/termination-log',
} as const;

/** Containers of the pods. A copy pod has `copy` alone. */
export const CONTAINERS = { copy: 'copy', fetch: 'fetch', main: 'main', agent: 'agent' } as const;

/** uid and gid of every container. */
export const UID = 65_532;

const workerStore = z.object({
  name: z.string(),
  endpoint: z.string().optional(),
  region: z.string(),
  addressing: z.enum(['Path', 'Virtual']),
  /** Directory with the files of the Secret; left out: workload identity. */
  credentials: z.string().optional(),
});

const workerLocation = z.object({ store: z.string(), bucket: z.string(), prefix: z.string() });

const workerInput = z.object({
  /** Where the file tree is to stand, as this container sees it. */
  directory: z.string(),
  /** Name of the stage whose results are the input, or the location. Exactly one. */
  stage: z.string().optional(),
  location: workerLocation.optional(),
});

const workerOutput = z.object({ directory: z.string(), location: workerLocation });

/**
 * The part of a stage that its workers need, with stores, names and templates resolved. `copy` is the stage's own member
 * (CopyStage of the API), passed on as it stands, with the stores of its locations filled in.
 */
export const workerSpec = z.object({
  kind: z.enum(['copy', 'container']),
  stores: z.array(workerStore),
  copy: z.unknown().optional(),
  /** Number of workers of the stage. */
  workers: z.int(),
  /** How much work makes another worker of a copy worth its start, in small objects. */
  share: z.int().min(1).optional(),
  /** Bytes that a copy may write to {@link PATHS.scratch}. */
  scratch: z.int().min(0).optional(),
  inputs: z.array(workerInput).optional(),
  outputs: z.array(workerOutput).optional(),
});

export type WorkerSpec = z.infer<typeof workerSpec>;
export type WorkerStore = z.infer<typeof workerStore>;
export type WorkerLocation = z.infer<typeof workerLocation>;
export type WorkerInput = z.infer<typeof workerInput>;
export type WorkerOutput = z.infer<typeof workerOutput>;

export interface WorkerEnvironment {
  run: string;
  runUID: string;
  namespace: string;
  stage: string;
  attempt: number;
  index: number;
  podName: string;
  podUID: string;
  nodeName: string;
  apiURL: string;
  apiServerName: string;
  apiCA: string;
  tokenFile: string;
  spec: WorkerSpec;
}

/**
 * Reads the environment of a worker.
 * @throws Error that names the variable which is missing or malformed.
 */
export function readEnvironment(env: Record<string, string | undefined>): WorkerEnvironment {
  const text = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === '')
      throw new Error(
        `environment variable ${name} is missing: this program is started by the operator in a pod of a stage`,
      );
    return value;
  };
  const integer = (name: string): number => {
    const value = text(name);
    if (!/^\d{1,9}$/.test(value))
      throw new Error(`environment variable ${name} must be a whole number, not ${JSON.stringify(value)}`);
    return Number(value);
  };
  return {
    run: text(ENV.run),
    runUID: text(ENV.runUID),
    namespace: text(ENV.namespace),
    stage: text(ENV.stage),
    attempt: integer(ENV.attempt),
    index: integer(ENV.index),
    podName: text(ENV.podName),
    podUID: text(ENV.podUID),
    nodeName: text(ENV.nodeName),
    apiURL: text(ENV.apiURL),
    apiServerName: text(ENV.apiServerName),
    apiCA: text(ENV.apiCA),
    tokenFile: text(ENV.tokenFile),
    spec: workerSpec.parse(JSON.parse(text(ENV.spec))),
  };
}
