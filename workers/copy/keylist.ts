import type { ListedObject } from '../s3/listing.ts';
import { getObject, headObject, type ObjectHead } from '../s3/objects.ts';
import { DraftFile } from './draftfile.ts';
import { KeyLineReader, type KeyLine } from './keylines.ts';
import { runBounded } from './pool.ts';
import { FirstTen, nameKey, PlanRefused, type PlanProblems } from './problems.ts';
import { PlanProof } from './proof.ts';
import { RowSet } from './rowset.ts';
import type { SourceInput } from './sources.ts';

/** Where a list of keys is, in the store of the source. */
export interface KeyListPlace {
  readonly bucket: string;
  readonly key: string;
}

/** Bytes that are read at once. */
const blockBytes = 8 * 1024 ** 2;
/** Keys that are looked up together. */
const pageKeys = 1000;

/** The objects that a list names, each once, in the order of the list. What is wrong with the list is a problem. */
export async function* readKeyList(
  input: SourceInput,
  list: KeyListPlace,
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  const { bucket } = input.job.source;
  const missing = new FirstTen<string>();
  for (const page of pagesOf(await readUniqueKeys(input, list, signal))) {
    const found: (ListedObject | undefined)[] = page.map(() => undefined);
    const look = async (n: number, pageSignal: AbortSignal): Promise<void> => {
      const { line, key } = page[n] ?? { line: 0, key: '' };
      const head = await headObject(input.sides.source, { bucket, key }, pageSignal);
      if (head === undefined) missing.add(line, 0, `line ${line} of the key list: ${nameKey(key)}`);
      else found[n] = listedObject(key, head);
    };
    await runBounded(page.keys(), input.job.concurrency, look, signal);
    yield found.filter((object) => object !== undefined);
  }
  const words = missing.first.map((place) => `${place} does not exist in bucket ${bucket}`);
  input.problems.addAll(missing.total, words);
}

interface NumberedKey {
  readonly line: number;
  readonly key: string;
}

/** All keys of a list in its order, without those that came before. They go to the disk as rows of a plan do. */
async function readUniqueKeys(
  input: SourceInput,
  list: KeyListPlace,
  signal: AbortSignal,
): Promise<Generator<NumberedKey, void, undefined>> {
  const { job, problems, scratch } = input;
  const lines = new DraftFile(scratch);
  const proof = new PlanProof(lines, { equivalence: 'Exact', oneSpace: false }, scratch);
  const take = (found: KeyLine): void => {
    if ('problem' in found) return describeLine(found.line, found.problem, problems);
    if (!found.key.startsWith(job.source.prefix)) {
      const why = `is ${nameKey(found.key)}, which is not under copy.source.prefix ${nameKey(job.source.prefix)}`;
      return describeLine(found.line, why, problems);
    }
    // Where a plan has sizes, these have the numbers of their lines.
    const row = { source: '', etag: '', size: found.line, destination: found.key };
    proof.add(lines.rows, lines.add(row), row);
  };
  const reader = new KeyLineReader();
  for await (const block of readBlocks(input, list, signal))
    for (const found of reader.read(block)) take(found);
  for (const found of reader.finish()) take(found);
  const repeated = new RowSet();
  await proof.findClashes(({ row }) => repeated.add(row));
  return withoutRows(lines, repeated);
}

function describeLine(line: number, problem: string, problems: PlanProblems): void {
  problems.add(`line ${line} of the key list ${problem}`);
}

function* withoutRows(lines: DraftFile, left: RowSet): Generator<NumberedKey, void, undefined> {
  for (const { number, row } of lines.all())
    if (!left.has(number)) yield { line: row.size, key: row.destination };
}

function* pagesOf(keys: Iterable<NumberedKey>): Generator<readonly NumberedKey[], void, undefined> {
  let page: NumberedKey[] = [];
  for (const key of keys) {
    page.push(key);
    if (page.length < pageKeys) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** The list from its first byte to its last, as it was when it was first looked at. */
async function* readBlocks(
  { sides }: SourceInput,
  { bucket, key }: KeyListPlace,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const head = await headObject(sides.source, { bucket, key }, signal);
  if (head === undefined)
    throw new PlanRefused(
      `the key list ${nameKey(key)} does not exist in bucket ${bucket}: correct copy.source.keyList`,
    );
  for (let first = 0; first < head.size; first += blockBytes) {
    const range = { first, last: Math.min(first + blockBytes, head.size) - 1 };
    const block = await getObject(sides.source, { bucket, key, range, ifMatch: head.etag }, signal);
    if (block?.length !== range.last - range.first + 1)
      throw new PlanRefused(`the key list ${nameKey(key)} was replaced while it was read: start again`);
    yield block;
  }
}

function listedObject(key: string, { size, etag, storageClass, headers }: ObjectHead): ListedObject {
  const modified = new Date(headers['last-modified'] ?? Number.NaN);
  const lastModified = Number.isNaN(modified.getTime()) ? '' : modified.toISOString();
  return { key, size, etag, lastModified, storageClass };
}
