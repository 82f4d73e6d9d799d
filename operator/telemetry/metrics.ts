/**
 * Every metric of the operator, once, with its help sentence. Names of runs, pods, nodes and UIDs are never labels;
 * namespace and pipeline go through RunLabelGuard first.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Seconds of work inside the operator: 1 ms to 1 min. */
const WORK = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Seconds of waiting for machines and images: 0.5 s to 1 h. */
const WAIT = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600];
/** Seconds of runs and stages: 1 s to 1 week. */
const RUN = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400, 604_800];

export type Instruments = ReturnType<typeof createInstruments>;

/** Creates every metric in the registry. */
export function createInstruments(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]): Gauge<L> =>
    new Gauge({ name, help, labelNames, registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: L[]
  ): Histogram<L> => new Histogram({ name, help, buckets, labelNames, registers });

  return {
    // The controller library, under the names that controller-runtime and client-go have made common.
    reconciles: counter(
      'controller_runtime_reconcile_total',
      'Reconciliations per controller and result.',
      'controller',
      'result',
    ),
    reconcileErrors: counter(
      'controller_runtime_reconcile_errors_total',
      'Reconciliations that ended with an error.',
      'controller',
    ),
    reconcileSeconds: histogram(
      'controller_runtime_reconcile_time_seconds',
      'Duration of a reconciliation.',
      WORK,
      'controller',
    ),
    activeWorkers: gauge(
      'controller_runtime_active_workers',
      'Workers that are reconciling right now.',
      'controller',
    ),
    maximumWorkers: gauge(
      'controller_runtime_max_concurrent_reconciles',
      'Workers that may reconcile at once.',
      'controller',
    ),
    queueDepth: gauge('workqueue_depth', 'Keys that wait in the queue.', 'name'),
    queueAdds: counter('workqueue_adds_total', 'Keys added to the queue.', 'name'),
    queueRetries: counter('workqueue_retries_total', 'Keys added again after an error.', 'name'),
    queueWaitSeconds: histogram(
      'workqueue_queue_duration_seconds',
      'How long a key waited in the queue before work on it began.',
      WORK,
      'name',
    ),
    queueWorkSeconds: histogram(
      'workqueue_work_duration_seconds',
      'How long work on a key took.',
      WORK,
      'name',
    ),
    queueUnfinishedSeconds: gauge(
      'workqueue_unfinished_work_seconds',
      'Work in hand that has not ended yet, summed over the workers. It grows while workers are stuck.',
      'name',
    ),
    queueLongestSeconds: gauge(
      'workqueue_longest_running_processor_seconds',
      'How long the worker that has been at one key longest has been at it.',
      'name',
    ),
    requests: counter(
      'rest_client_requests_total',
      'Requests to the API server; code is the HTTP status, or error when no answer came.',
      'method',
      'code',
    ),
    requestSeconds: histogram(
      'rest_client_request_duration_seconds',
      'Duration of requests to the API server, watches excluded.',
      WORK,
      'method',
    ),
    leader: gauge(
      'leader_election_master_status',
      '1 while this process holds the lease, otherwise 0.',
      'name',
    ),
    staleSkips: counter(
      'stale_sync_skips_total',
      'Reconciliations put off because the cache had not yet seen our own last write.',
      'controller',
    ),
    storeVersion: gauge(
      'store_resource_version',
      'Newest resource version that the cache of this resource reflects.',
      'resource',
    ),
    lists: counter(
      'ebbflow_lists_total',
      'Complete lists of a resource, by outcome. More than one per resource means that a watch could not resume.',
      'resource',
      'outcome',
    ),
    watchRestarts: counter(
      'ebbflow_watch_restarts_total',
      'Watches that ended, by reason: ok (the server ended it in order), expired, error.',
      'resource',
      'reason',
    ),

    // Runs and stages.
    runs: gauge(
      'ebbflow_runs',
      'PipelineRuns that exist, by the reason of their Succeeded condition.',
      'namespace',
      'pipeline',
      'phase',
    ),
    runsFinished: counter(
      'ebbflow_runs_total',
      'Runs that reached their final state.',
      'namespace',
      'pipeline',
      'result',
      'reason',
    ),
    runSeconds: histogram(
      'ebbflow_run_duration_seconds',
      'From the creation of a run to its final state.',
      RUN,
      'namespace',
      'pipeline',
      'result',
    ),
    runQueueSeconds: histogram(
      'ebbflow_run_queue_seconds',
      'From the creation of a run to the start of its first main container.',
      WAIT,
      'namespace',
      'pipeline',
    ),
    stageSeconds: histogram(
      'ebbflow_stage_duration_seconds',
      'From the first Job of a stage to its final state.',
      RUN,
      'namespace',
      'pipeline',
      'kind',
      'result',
    ),
    stageRetries: counter(
      'ebbflow_stage_retries_total',
      'Further attempts of stages, by the reason that ended the attempt before.',
      'kind',
      'reason',
    ),
    stageStartSeconds: histogram(
      'ebbflow_stage_start_seconds',
      'From a pod having a node to the start of its main container: images and inputs.',
      WAIT,
      'kind',
    ),
    handoverSeconds: histogram(
      'ebbflow_stage_handover_seconds',
      'From the outcome of a stage to the creation of the next stage’s Job.',
      WORK,
    ),
    nodeWaitSeconds: histogram(
      'ebbflow_node_wait_seconds',
      'From the creation of a Job to its first pod having a node.',
      WAIT,
      'kind',
    ),
    nodesLaunched: counter(
      'ebbflow_nodes_launched_total',
      'Nodes that came up for runs.',
      'node_group',
      'capacity_type',
    ),
    nodeSeconds: counter(
      'ebbflow_node_seconds_total',
      'Seconds that the nodes of runs existed, from creation until they were gone; counted when they are gone.',
      'node_group',
      'capacity_type',
    ),

    // Data.
    copyObjects: counter(
      'ebbflow_copy_objects_total',
      'Objects of finished copy stages, by what became of them; of those that moved, the deletion counts once more.',
      'namespace',
      'pipeline',
      'result',
    ),
    copyRequests: counter(
      'ebbflow_copy_requests_total',
      'Requests of finished copy stages to the stores of their data: throttled (refused for being too many) and other.',
      'namespace',
      'pipeline',
      'outcome',
    ),
    copyRate: gauge(
      'ebbflow_copy_objects_per_second',
      'Objects that running copy stages finish per second, by what their workers said last.',
      'namespace',
      'pipeline',
    ),
    copyLeft: gauge(
      'ebbflow_copy_objects_left',
      'Objects that running copy stages have planned and not done.',
      'namespace',
      'pipeline',
    ),
    copyBytes: counter(
      'ebbflow_copy_bytes_total',
      'Bytes of the objects that were copied.',
      'namespace',
      'pipeline',
    ),
    logRawBytes: counter('ebbflow_log_raw_bytes_total', 'Bytes of worker logs before compression.'),
    logStoredBytes: counter('ebbflow_log_stored_bytes_total', 'Bytes of worker logs as stored.'),
    logDroppedBytes: counter(
      'ebbflow_log_dropped_bytes_total',
      'Bytes of worker logs that are known to be lost.',
      'reason',
    ),
    logsIncomplete: counter(
      'ebbflow_logs_incomplete_total',
      'Worker attempts whose stored log has a gap or no orderly end.',
      'reason',
    ),
    commitSeconds: histogram(
      'ebbflow_results_commit_seconds',
      'From the decided outcome of a run to its stored record.',
      WAIT,
    ),
    resultsPending: gauge(
      'ebbflow_results_pending',
      'Runs whose outcome is decided and whose record is not stored yet.',
    ),
    indexSeconds: histogram(
      'ebbflow_results_index_seconds',
      'Duration of operations on the results index.',
      WORK,
      'operation',
    ),
    storeRequests: counter(
      'ebbflow_s3_requests_total',
      'Requests of the operator to the results store; code is the HTTP status, or error when no answer came.',
      'operation',
      'code',
    ),
    storeRequestSeconds: histogram(
      'ebbflow_s3_request_duration_seconds',
      'Duration of requests of the operator to the results store.',
      WORK,
      'operation',
    ),
    workerRequests: counter(
      'ebbflow_worker_api_requests_total',
      'Requests of workers to the operator.',
      'route',
      'code',
    ),
    workerRequestSeconds: histogram(
      'ebbflow_worker_api_request_duration_seconds',
      'Duration of requests of workers to the operator.',
      WORK,
      'route',
    ),
    buildInfo: gauge(
      'ebbflow_build_info',
      'Always 1; the labels say which build this is.',
      'version',
      'node',
    ),
  };
}
