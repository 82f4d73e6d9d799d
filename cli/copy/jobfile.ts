/** The file that says which job a state directory belongs to, and which stores that job is about. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { CliError } from '../errors.ts';
import { writeWhole } from './wholefile.ts';

const JOB_FILE = 'job.json';
const jobFile = z.object({ version: z.literal(1), job: z.record(z.string(), z.unknown()) });

/** What the directory's job is; undefined for a directory that has none. */
export async function readJob(directory: string): Promise<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, JOB_FILE), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return jobFile.parse(JSON.parse(text)).job;
}

const text = z.string().optional();
/** What is written down of a store. */
export const recordedStore = z.object({
  endpoint: text,
  region: text,
  addressing: z.enum(['Path', 'Virtual']).optional(),
  profile: text,
});
const storesOfJob = z.object({ source: recordedStore, destination: recordedStore });
export type RecordedStores = z.infer<typeof storesOfJob>;

/** The stores of a directory's job; undefined where it has no job, or not one of a copy. */
export async function readStoresOfJob(directory: string): Promise<RecordedStores | undefined> {
  return storesOfJob.safeParse((await readJob(directory))?.['stores']).data;
}

/** Makes a directory the one of this job. @throws CliError when it belongs to another. */
export async function claimDirectory(directory: string, job: object): Promise<void> {
  const plain: unknown = JSON.parse(JSON.stringify(job));
  const known = await readJob(directory);
  if (known === undefined) {
    await writeWhole(join(directory, JOB_FILE), { version: 1, job: plain });
  } else if (!isDeepStrictEqual(known, plain)) {
    throw new CliError(
      'OtherJob',
      `${directory} keeps the state of another copy (see ${JOB_FILE} in it); give this one another --state, or none`,
    );
  }
}
