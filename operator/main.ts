/**
 * The composition root: the only file that touches `process`. It reads the configuration, puts the parts together,
 * starts the listeners, and stops everything in order on a signal.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { enableLinearExpressions } from '../workers/copy/linear.ts';
import { S3Client } from '../workers/s3/client.ts';
import { ambientCredentials } from '../workers/s3/ambient.ts';
import { mountedCredentials, readCa } from '../workers/s3/mounted.ts';
import { MANAGER, UNNAMED_PIPELINE } from './api/names.ts';
import { readConfig, type Config } from './config.ts';
import { keepHeapSmall } from './heap.ts';
import { systemClock } from './kube/clock.ts';
import { findCondition } from './kube/conditions.ts';
import { EventRecorder } from './kube/events.ts';
import { createKubeClient } from './kube/http-client.ts';
import { loadClusterAccess } from './kube/kubeconfig.ts';
import type { DeepReadonly } from './kube/types.ts';
import { RunController } from './pipelinerun/controller.ts';
import type { PipelineRunObject } from './pipelinerun/resource.ts';
import { connectWorkers } from './pipelinerun/workers.ts';
import { createResultsApi } from './results/api/server.ts';
import { ResultsService } from './results/results.ts';
import { S3ResultsStore } from './results/store.ts';
import { createLogger } from './telemetry/log.ts';
import { createMetrics } from './telemetry/registry.ts';
import { startTelemetryServer } from './telemetry/server.ts';
import { createWorkerApi } from './workerapi/server.ts';
import { version } from '../workers/contract/version.ts';

/** How long grants of workers live: how long they can go on without the operator. */
const GRANT_SECONDS = 2_700;
/** How long an operator that ends stores what it holds of logs, in milliseconds: pods may go before the next one reads. */
const LAST_CUT_MS = 5_000;

/** Runs the operator until the signal aborts. A start that fails half-way leaves nothing open. */
export async function runOperator(
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<void> {
  const config = readConfig(env);
  // Closed in reverse order, however this ends: what stays open keeps a process alive that nobody restarts.
  await using opened = new AsyncDisposableStack();
  keepHeapSmall();
  enableLinearExpressions();
  const clock = systemClock;
  const log = createLogger({ level: config.logLevel });
  const metrics = createMetrics({ version, node: process.versions.node });
  const access = await loadClusterAccess({ env });
  const client = createKubeClient({ access, userAgent: `ebbflow/${version}`, metrics: metrics.kube });
  opened.defer(() => client.close());
  const [cert, key, apiCA] = await Promise.all(
    ['tls.crt', 'tls.key', 'ca.crt'].map((name) => readFile(join(config.tlsDirectory, name), 'utf8')),
  );
  if (cert === undefined || key === undefined || apiCA === undefined)
    throw new Error('unreachable: three files were read');

  const store = await createStore(config, env);
  const results = new ResultsService({
    store,
    bucket: config.results.bucket,
    cluster: config.cluster,
    kube: client,
    indexPath: config.indexFile,
    capture: { onChunk: ({ rawLen, zLen }) => metrics.runs.logStored(rawLen, zLen) },
    clock,
    logger: log,
  });
  const recorder = new EventRecorder({
    client,
    reportingController: MANAGER,
    reportingInstance: config.podName,
    logger: log,
    clock,
  });
  opened.defer(() => recorder.flush());
  const { host, port, serverName } = config.workerApi;
  const controller = new RunController({
    client,
    clock,
    log,
    recorder,
    results,
    podSettings: {
      image: config.image,
      apiURL: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      apiServerName: serverName,
      apiCA,
      copyWorkerShare: config.copyWorkerShare,
    },
    metrics: { kube: metrics.kube, runs: metrics.runs },
    commitTimeoutSeconds: config.commitTimeoutSeconds,
    nodeLostSeconds: config.nodeLostSeconds,
    concurrency: config.concurrency,
  });
  metrics.countCopies(() => controller.runningCopies());
  metrics.countRuns(function* () {
    for (const run of controller.caches.runs.list()) {
      const pipeline = run.spec.pipeline ?? UNNAMED_PIPELINE;
      yield {
        namespace: run.metadata.namespace,
        pipeline,
        phase: findCondition(run.status?.conditions, 'Succeeded')?.reason ?? 'Pending',
      };
    }
  });

  metrics.countPending(() => controller.caches.runs.list().filter((run) => isRecordMissing(run)).length);

  const workerApi = createWorkerApi(
    connectWorkers({ controller, client, store, cluster: config.cluster, clock, log }),
    { cert, key },
  );
  const resultsApi = createResultsApi({ results, runs: controller.caches.runs, clock, logger: log });
  const telemetry = await startTelemetryServer({
    host: '0.0.0.0',
    port: config.metricsPort,
    metrics: () => metrics.expose(),
    alive: {},
    ready: {
      caches: () => {
        if (!controller.caches.hasSynced) throw new Error('the caches are not complete yet');
      },
    },
    logger: log,
  });
  opened.defer(() => telemetry.close());
  opened.defer(() => results.stop());
  opened.defer(() => results.logs.storeHeld(LAST_CUT_MS));
  await results.start(signal);
  opened.defer(async () => void (await Promise.all([workerApi.close(), resultsApi.close()])));
  await workerApi.listen({ host: '0.0.0.0', port });
  await resultsApi.listen({ host: '127.0.0.1', port: config.resultsPort });
  log.info({ version, cluster: config.cluster, bucket: config.results.bucket }, 'The operator has started');

  await controller.run(signal);
  log.info({}, 'The operator stops');
}

/** The outcome is decided and the record is not in the store yet. */
function isRecordMissing({ status }: DeepReadonly<PipelineRunObject>): boolean {
  return status?.outcome !== undefined && findCondition(status.conditions, 'LogsStored')?.status !== 'True';
}

async function createStore(
  config: Config,
  env: Readonly<Record<string, string | undefined>>,
): Promise<S3ResultsStore> {
  const { endpoint, region, bucket, addressing, credentials } = config.results;
  const ca = credentials === undefined ? undefined : await readCa(credentials);
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    region,
    addressing,
    credentials: credentials === undefined ? ambientCredentials(env) : mountedCredentials(credentials),
    ...(ca === undefined ? {} : { ca }),
  });
  return new S3ResultsStore({ client, bucket, grantSeconds: GRANT_SECONDS });
}

/** The role `ebbflow operator`: runs until SIGTERM or SIGINT; a second signal ends it at once. */
export async function main(): Promise<void> {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      stop.abort(new Error(`received ${name}`));
      process.once(name, () => process.exit(1));
    });
  }
  try {
    await runOperator(process.env, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return;
    process.stderr.write(
      `ebbflow operator: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    // Whatever may still hold the process: one that failed is to be restarted.
    process.exit(1);
  }
}
