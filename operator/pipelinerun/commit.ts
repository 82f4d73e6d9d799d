/** The record of a run in the results store: written when the run has ended, asked for when its status knows nothing. */
import type { PipelineRun } from '../api/types.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Logger } from '../kube/logger.ts';
import type { Store } from '../kube/store.ts';
import type { Job } from '../kube/types.ts';
import type { Results } from '../results/types.ts';
import type { RunRecord } from '../../workers/contract/manifests.ts';
import { attemptsOf } from './attempts.ts';
import { DELETION_COMMIT_MS, DELETION_LOG_BOUNDS } from './deletion.ts';
import { namespaces, type PipelineRunObject } from './resource.ts';
import type { Observed, Plan, Stored } from './types.ts';

export interface CommitDeps {
  client: KubeClient;
  runs: Store<PipelineRunObject>;
  jobs: Store<Job>;
  results: Pick<Results, 'commit' | 'findRecord'>;
}

/** Longest time that one try to store the record may take, in milliseconds: long logs are read to their end. */
const COMMIT_MS = 660_000;

/** One try; what the store says against it is part of the answer. @throws the signal's reason when it aborts. */
export async function commitRecord(
  key: string,
  observed: Observed,
  plan: Plan,
  deps: CommitDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<Stored> {
  const { commit } = plan;
  const run = { ...observed.run, status: plan.status };
  const isDeleted = run.metadata.deletionTimestamp !== undefined;
  const deletion = new AbortController();
  // A deletion does not wait for a long try: the next one knows about it and is short.
  const look = ({ metadata }: Pick<PipelineRun, 'metadata'>): void => {
    if (!isDeleted && metadata.uid === run.metadata.uid && metadata.deletionTimestamp !== undefined)
      deletion.abort(new Error('the PipelineRun is being deleted'));
  };
  const forgetDeletion = deps.runs.addHandler({ modified: look });
  look(deps.runs.get(key) ?? run);
  try {
    const deadline = AbortSignal.any([
      signal,
      deletion.signal,
      AbortSignal.timeout(isDeleted ? DELETION_COMMIT_MS : COMMIT_MS),
    ]);
    const { uid: namespaceUID } = (
      await deps.client.get(namespaces, undefined, run.metadata.namespace, { signal })
    ).metadata;
    const result = await deps.results.commit(
      {
        run,
        ...(namespaceUID === undefined ? {} : { namespaceUID }),
        attempts: attemptsOf(observed),
        nodes: observed.nodes,
        discrepancies: commit?.discrepancies ?? [],
        ...(isDeleted ? { logBounds: DELETION_LOG_BOUNDS } : {}),
      },
      deadline,
    );
    return { ok: true, logsComplete: result.logsComplete, location: result.location };
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error }, 'The record of a run could not be stored');
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  } finally {
    forgetDeletion();
  }
}

/** A run that this cluster knows nothing of may have ended before its object was restored from a backup. */
export async function findEarlierRecord(
  run: PipelineRun,
  deps: CommitDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<RunRecord | undefined> {
  const { namespace, uid } = run.metadata;
  const taken = run.status?.startTime !== undefined || deps.jobs.byOwner(uid).length > 0;
  if (taken || run.metadata.deletionTimestamp !== undefined) return undefined;
  try {
    return await deps.results.findRecord(
      { namespace, uid },
      AbortSignal.any([signal, AbortSignal.timeout(5_000)]),
    );
  } catch (error) {
    // A store that is down must not keep new runs from starting, and a new UID has no record.
    log.warn({ err: error }, 'The results store could not be asked for an earlier record of a run');
    return undefined;
  }
}
