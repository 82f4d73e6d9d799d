/** The record of a run in the results store: written when the run has ended, asked for when its status knows nothing. */
import type { PipelineRun } from '../api/types.ts';
import type { Clock } from '../kube/clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Logger } from '../kube/logger.ts';
import type { Store } from '../kube/store.ts';
import type { Results } from '../results/types.ts';
import type { RunRecord } from '../../workers/contract/manifests.ts';
import { attemptsOf } from './attempts.ts';
import type { Breaker } from './breaker.ts';
import type { Commits } from './commits.ts';
import { DELETION_COMMIT_MS, DELETION_LOG_BOUNDS } from './deletion.ts';
import { namespaces, type PipelineRunObject } from './resource.ts';
import { commitDeadline } from './stored.ts';
import type { Observed, Plan, PlanSettings, Stored } from './types.ts';
import type { WorkerFacts } from './workerfacts.ts';

export interface CommitDeps {
  client: KubeClient;
  runs: Store<PipelineRunObject>;
  results: Pick<Results, 'commit'>;
  commits: Pick<Commits, 'places'>;
  settings: PlanSettings;
  clock: Pick<Clock, 'now'>;
}

/**
 * Longest time that one try to store the record may take, in milliseconds: long logs are read to their end. As long at
 * most it waits for its place.
 */
const COMMIT_MS = 660_000;

/**
 * One try; what the store says against it is part of the answer. Undefined when the try was ended: by the signal, or
 * because the run is being deleted, for which the next try knows to be short.
 */
export async function tryCommit(
  key: string,
  observed: Observed,
  plan: Plan,
  deps: CommitDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<Stored | undefined> {
  const run = { ...observed.run, status: plan.status };
  const isDeleted = run.metadata.deletionTimestamp !== undefined;
  const deletion = new AbortController();
  const look = ({ metadata }: Pick<PipelineRun, 'metadata'>): void => {
    if (!isDeleted && metadata.uid === run.metadata.uid && metadata.deletionTimestamp !== undefined)
      deletion.abort(new Error('the PipelineRun is being deleted'));
  };
  const forgetDeletion = deps.runs.addHandler({ modified: look });
  look(deps.runs.get(key) ?? run);
  const ended = AbortSignal.any([signal, deletion.signal]);
  const waiting = AbortSignal.any([ended, AbortSignal.timeout(longestWait(observed, plan, deps))]);
  const { namespace } = run.metadata;
  let began = false;
  try {
    return await deps.commits.places.run(
      { namespace, deleting: isDeleted },
      async () => {
        began = true;
        // A run that is being deleted has one time for both.
        const deadline = isDeleted ? waiting : AbortSignal.any([ended, AbortSignal.timeout(COMMIT_MS)]);
        return await commit(run, observed, plan, deps, deadline);
      },
      waiting,
    );
  } catch (error) {
    if (ended.aborted) return undefined;
    if (!began) return { ok: false, message: 'the records of other runs were not stored in time' };
    log.warn({ err: error }, 'The record of a run could not be stored');
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  } finally {
    forgetDeletion();
  }
}

/**
 * How long a place is waited for, in milliseconds: with a store that hangs, many runs wait behind each other. When the
 * time of the record is over, that is judged, and not only once it is the run's turn.
 */
function longestWait(observed: Observed, plan: Plan, { settings, clock }: CommitDeps): number {
  if (observed.run.metadata.deletionTimestamp !== undefined) return DELETION_COMMIT_MS;
  const left = commitDeadline(observed, plan.status, settings) - clock.now().getTime();
  return left > 0 ? Math.min(left, COMMIT_MS) : COMMIT_MS;
}

async function commit(
  run: Observed['run'],
  observed: Observed,
  plan: Plan,
  { client, results }: CommitDeps,
  signal: AbortSignal,
): Promise<Stored> {
  const { namespace, deletionTimestamp } = run.metadata;
  const { uid: namespaceUID } = (await client.get(namespaces, undefined, namespace, { signal })).metadata;
  const { logsComplete, location } = await results.commit(
    {
      run,
      ...(namespaceUID === undefined ? {} : { namespaceUID }),
      attempts: attemptsOf(observed),
      nodes: observed.nodes,
      discrepancies: plan.commit?.discrepancies ?? [],
      ...(deletionTimestamp === undefined ? {} : { logBounds: DELETION_LOG_BOUNDS }),
    },
    signal,
  );
  return { ok: true, logsComplete, location };
}

export interface EarlierDeps {
  facts: Pick<WorkerFacts, 'mayLook' | 'answered' | 'record' | 'hasEnded'>;
  results: Pick<Results, 'findRecord'>;
  /** Of the looks of all runs. */
  breaker: Breaker;
}

/** Between two tries to ask for an earlier record, in milliseconds: a store that does not answer holds each of them up. */
const EARLIER_MS = 60_000;

/**
 * The record of a run that has ended before its object was restored from a backup, which may have been made while it ran.
 * Every run that is open is asked about once in the life of this process.
 */
export async function findEarlierRecord(
  run: PipelineRun,
  { facts, results, breaker }: EarlierDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<RunRecord | undefined> {
  const { namespace, uid, deletionTimestamp } = run.metadata;
  if (run.status?.outcome !== undefined || deletionTimestamp !== undefined) return undefined;
  const known = facts.record(uid);
  if (known || !facts.mayLook(uid, 'record', { once: true, everyMs: EARLIER_MS, breaker })) return known;
  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
    const record = await results.findRecord({ namespace, uid }, deadline);
    if (record) facts.hasEnded(uid, record);
    facts.answered(uid, 'record');
    breaker.answered();
    return record;
  } catch (error) {
    // A store that is down must not keep new runs from starting, and a new UID has no record. Nor must the runs that are
    // open find out one after the other that it is: each would keep a worker of the queue for seconds.
    if (error instanceof Error && 'code' in error && error.code === 'BadRecord') breaker.answered();
    else breaker.failed();
    log.warn({ err: error }, 'The results store could not be asked for an earlier record of a run');
    return undefined;
  }
}
