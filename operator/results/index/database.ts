/** The index of finished runs: a SQLite file that may vanish at any time, because it is made from the bucket. */
import { rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { z } from 'zod';
import type { RunRecord } from '../../../workers/contract/manifests.ts';
import { type Row, type RunRow, rowsOf, SCHEMA, SCHEMA_VERSION } from './schema.ts';

const runRow = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  pipeline: z.string(),
  result: z.string(),
  reason: z.string(),
  started_at: z.string(),
  finished_at: z.string(),
  logs_complete: z.number(),
  stages: z.number(),
  nodes: z.number(),
  node_seconds: z.number(),
}) satisfies z.ZodType<RunRow>;

export interface RunFilter {
  namespace?: string | undefined;
  pipeline?: string | undefined;
  result?: string | undefined;
}

/** The place after which a page begins: the last row of the one before. */
export interface RunCursor {
  startedAt: string;
  uid: string;
}

export class ResultsIndex {
  readonly #database: DatabaseSync;
  readonly #insertRun: StatementSync;
  readonly #insertStage: StatementSync;
  readonly #insertAttempt: StatementSync;
  readonly #deleteRun: StatementSync;

  /** `path` may be `:memory:`. A file that cannot be used, or is of another version, is replaced by an empty one. */
  constructor(path: string) {
    this.#database = openDatabase(path);
    const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');
    this.#deleteRun = this.#database.prepare('DELETE FROM runs WHERE uid = ?');
    this.#insertRun = this.#database.prepare(`INSERT INTO runs VALUES (${marks(12)})`);
    this.#insertStage = this.#database.prepare(`INSERT INTO stages VALUES (${marks(8)})`);
    this.#insertAttempt = this.#database.prepare(`INSERT INTO attempts VALUES (${marks(10)})`);
  }

  /** Adds a record or replaces what is known of it. */
  upsert(record: RunRecord): void {
    const { run, stages, attempts } = rowsOf(record);
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      this.#deleteRun.run(run.uid);
      this.#insertRun.run(...Object.values(run));
      for (const row of stages) this.#insertStage.run(...row);
      for (const row of attempts) this.#insertAttempt.run(...row);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  has(uid: string): boolean {
    return this.#database.prepare('SELECT 1 FROM runs WHERE uid = ?').get(uid) !== undefined;
  }

  find(uid: string): RunRow | undefined {
    const row = this.#database.prepare('SELECT * FROM runs WHERE uid = ?').get(uid);
    return row === undefined ? undefined : runRow.parse(row);
  }

  /** Newest first. */
  list(filter: RunFilter, page: { limit: number; after?: RunCursor | undefined }): RunRow[] {
    const where: string[] = [];
    const values: (string | number)[] = [];
    for (const column of ['namespace', 'pipeline', 'result'] as const) {
      const value = filter[column];
      if (value === undefined) continue;
      where.push(`${column} = ?`);
      values.push(value);
    }
    if (page.after !== undefined) {
      where.push('(started_at, uid) < (?, ?)');
      values.push(page.after.startedAt, page.after.uid);
    }
    const condition = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
    const query = `SELECT * FROM runs ${condition} ORDER BY started_at DESC, uid DESC LIMIT ?`;
    return this.#database
      .prepare(query)
      .all(...values, page.limit)
      .map((row) => runRow.parse(row));
  }

  /** Every row of every table, in key order: what two indexes of one bucket are compared by. */
  dump(): Row[][] {
    return ['runs', 'stages', 'attempts'].map((table) => {
      const rows = this.#database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2, 3, 4`).all();
      return rows.map((row) =>
        z.array(z.union([z.string(), z.number(), z.null()])).parse(Object.values(row)),
      );
    });
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function openDatabase(path: string): DatabaseSync {
  try {
    return prepareDatabase(path);
  } catch (error) {
    if (path === ':memory:') throw error;
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    return prepareDatabase(path);
  }
}

function prepareDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;');
    const version = Number(Object.values(database.prepare('PRAGMA user_version').get() ?? {})[0]);
    if (version === SCHEMA_VERSION) return database;
    if (version !== 0) throw new Error(`the index has version ${version}`);
    database.exec(SCHEMA);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
