/** Tables of the index, and the rows that a record gives. Only what is listed or filtered by has a column. */
import type { RunRecord } from '../../../workers/contract/manifests.ts';

/** Raised with every change of the tables: an index of another version is thrown away and rebuilt. */
export const SCHEMA_VERSION = 1;

export const SCHEMA = `
CREATE TABLE runs (
  uid TEXT PRIMARY KEY,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  result TEXT NOT NULL,
  reason TEXT NOT NULL,
  started_at TEXT NOT NULL,
  finished_at TEXT NOT NULL,
  logs_complete INTEGER NOT NULL,
  stages INTEGER NOT NULL,
  nodes INTEGER NOT NULL,
  node_seconds REAL NOT NULL
) STRICT;
CREATE INDEX runs_by_start ON runs (started_at DESC, uid DESC);
CREATE INDEX runs_by_namespace ON runs (namespace, started_at DESC, uid DESC);
CREATE INDEX runs_by_pipeline ON runs (namespace, pipeline, started_at DESC, uid DESC);
CREATE TABLE stages (
  run_uid TEXT NOT NULL REFERENCES runs (uid) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  started_at TEXT,
  finished_at TEXT,
  PRIMARY KEY (run_uid, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempts (
  run_uid TEXT NOT NULL REFERENCES runs (uid) ON DELETE CASCADE,
  stage TEXT NOT NULL,
  worker INTEGER NOT NULL,
  pod_uid TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  manifest TEXT NOT NULL,
  logs_complete INTEGER NOT NULL,
  lines INTEGER NOT NULL,
  raw_bytes INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  PRIMARY KEY (run_uid, stage, worker, pod_uid)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = ${SCHEMA_VERSION};
`;

export interface RunRow {
  uid: string;
  namespace: string;
  name: string;
  pipeline: string;
  result: string;
  reason: string;
  started_at: string;
  finished_at: string;
  logs_complete: number;
  stages: number;
  nodes: number;
  node_seconds: number;
}

export type Row = (string | number | null)[];

export interface RecordRows {
  run: RunRow;
  stages: Row[];
  attempts: Row[];
}

/** Times of one width, so that they sort as text. */
function sortableTime(time: string): string {
  return new Date(time).toISOString();
}

export function isLogComplete(record: RunRecord): boolean {
  return record.stages.every(({ attempts }) => attempts.every(({ logs }) => logs?.complete !== false));
}

export function rowsOf(record: RunRecord): RecordRows {
  const { run, outcome } = record;
  const time = (value: string | undefined): string | null =>
    value === undefined ? null : sortableTime(value);
  return {
    run: {
      uid: run.uid,
      namespace: run.namespace,
      name: run.name,
      pipeline: run.pipeline,
      result: outcome.result,
      reason: outcome.reason,
      started_at: sortableTime(record.startTime),
      finished_at: sortableTime(outcome.time),
      logs_complete: Number(isLogComplete(record)),
      stages: record.stages.length,
      nodes: record.nodes.launched,
      node_seconds: record.nodes.nodeSeconds,
    },
    stages: record.stages.map((stage, position) => [
      run.uid,
      position,
      stage.name,
      stage.kind,
      stage.state,
      stage.reason ?? null,
      time(stage.startTime),
      time(stage.completionTime),
    ]),
    attempts: record.stages.flatMap((stage) =>
      stage.attempts.map(({ index, podUID, attempt, manifest, logs }) => [
        run.uid,
        stage.name,
        index,
        podUID,
        attempt,
        manifest.kind,
        Number(logs?.complete ?? true),
        logs?.lines ?? 0,
        logs?.rawBytes ?? 0,
        logs?.storedBytes ?? 0,
      ]),
    ),
  };
}
