/** Listing runs and showing one. */
import type { RunReply, RunsReply, LiveRun, RunSummary } from '../../../workers/contract/resultsapi.ts';
import type { PipelineRun } from '../../api/types.ts';
import type { DeepReadonly } from '../../kube/types.ts';
import type { RunCursor, RunFilter } from '../index/database.ts';
import type { RunRow } from '../index/schema.ts';
import type { ResultsService } from '../results.ts';
import { ResultsApiError } from './errors.ts';

/** The runs that exist as objects: a store of the controller library fits. */
export interface RunSource {
  list(): readonly DeepReadonly<PipelineRun>[];
}

function summaryOf(row: RunRow): RunSummary {
  return {
    uid: row.uid,
    namespace: row.namespace,
    name: row.name,
    pipeline: row.pipeline,
    result: row.result,
    reason: row.reason,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    logsComplete: row.logs_complete === 1,
    stages: row.stages,
    nodes: row.nodes,
    nodeSeconds: row.node_seconds,
  };
}

function liveRunOf({ metadata, spec, status }: DeepReadonly<PipelineRun>): LiveRun {
  const condition = status?.conditions?.find(({ type }) => type === 'Succeeded');
  return {
    uid: metadata.uid,
    namespace: metadata.namespace,
    name: metadata.name,
    pipeline: spec.pipeline ?? metadata.name,
    startedAt: status?.startTime ?? metadata.creationTimestamp,
    reason: condition?.reason ?? 'Pending',
    message: condition?.message ?? '',
    stages: spec.stages.map(({ name }) => {
      const stage = status?.stages?.find((known) => known.name === name);
      return {
        name,
        state: stage?.state ?? 'Waiting',
        reason: stage?.reason,
        message: stage?.message,
        attempt: stage?.attempt,
        progress: stage?.progress === undefined ? undefined : { ...stage.progress },
        startTime: stage?.startTime,
        completionTime: stage?.completionTime,
      };
    }),
  };
}

function readCursor(text: string): RunCursor {
  const [startedAt, uid, ...rest] = Buffer.from(text, 'base64url').toString('utf8').split(' ');
  if (startedAt === undefined || uid === undefined || rest.length > 0)
    throw new ResultsApiError('BadRequest', { detail: 'after: not from an earlier answer' });
  return { startedAt, uid };
}

function writeCursor({ startedAt, uid }: RunSummary): string {
  return Buffer.from(`${startedAt} ${uid}`).toString('base64url');
}

export function listRuns(
  sources: { results: ResultsService; runs: RunSource },
  filter: RunFilter,
  page: { limit: number; after?: string | undefined },
): RunsReply {
  const { index, indexComplete } = sources.results;
  if (index === undefined) throw new ResultsApiError('Starting');
  const after = page.after === undefined ? undefined : readCursor(page.after);
  const rows = index.list(filter, { limit: page.limit + 1, after });
  const runs = rows.slice(0, page.limit).map(summaryOf);
  const last = runs.at(-1);
  const fits = (run: DeepReadonly<PipelineRun>): boolean =>
    (filter.namespace === undefined || run.metadata.namespace === filter.namespace) &&
    (filter.pipeline === undefined || (run.spec.pipeline ?? run.metadata.name) === filter.pipeline) &&
    !index.has(run.metadata.uid);
  const live =
    after === undefined && filter.result === undefined ? sources.runs.list().filter(fits).map(liveRunOf) : [];
  return {
    live: live.toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1)),
    runs,
    next: rows.length > page.limit && last !== undefined ? writeCursor(last) : null,
    indexComplete,
  };
}

/** Where a run is; the namespace is never taken from the request. */
export function findRun(
  sources: { results: ResultsService; runs: RunSource },
  uid: string,
): { namespace: string; uid: string; object: DeepReadonly<PipelineRun> | undefined } {
  const object = sources.runs.list().find(({ metadata }) => metadata.uid === uid);
  const namespace = object?.metadata.namespace ?? sources.results.index?.find(uid)?.namespace;
  if (namespace === undefined) {
    const detail = sources.results.indexComplete
      ? undefined
      : 'The index is still being made; it may appear yet.';
    throw new ResultsApiError('NotFound', detail === undefined ? {} : { detail });
  }
  return { namespace, uid, object };
}

/** @throws ResultsApiError NotFound; ResultsError when the store refuses. */
export async function showRun(
  sources: { results: ResultsService; runs: RunSource },
  uid: string,
  signal: AbortSignal,
): Promise<RunReply> {
  const { namespace, object } = findRun(sources, uid);
  const record = await sources.results.findRecord({ namespace, uid }, signal);
  if (record !== undefined) return { record, location: sources.results.locationOf({ namespace, uid }) };
  if (object === undefined) throw new ResultsApiError('NotFound');
  return { live: liveRunOf(object) };
}
