export const SYSTEM_NAMESPACE = 'ebbflow-system';
/** Where tests apply their runs. */
export const NAMESPACE = 'data';
export const RESULTS_BUCKET = 'ebbflow-results';
export const BUCKETS = [RESULTS_BUCKET, 'raw', 'lake', 'models'] as const;
/** Short, so that tests of lost nodes and refusing stores need not wait long. */
export const NODE_LOST_SECONDS = 10;
export const COMMIT_TIMEOUT_SECONDS = 20;
/** A node of the test cluster starts in a second or two, so far fewer objects are worth another worker. */
export const COPY_WORKER_SHARE = 100;
