import type { ListedObject } from '../s3/listing.ts';
import { headObject } from '../s3/objects.ts';
import type { CopyJob } from './job.ts';
import { readKeyList } from './keylist.ts';
import { readLedgerOf, type SourceLedger } from './ledgersource.ts';
import { listPages } from './list.ts';
import { nameKey, type PlanProblems } from './problems.ts';
import type { ResultsStore } from './results.ts';
import type { Scratch } from './scratch.ts';
import type { Sides } from './sides.ts';

/** What is needed to read the objects of a source. */
export interface SourceInput {
  readonly job: CopyJob;
  readonly sides: Sides;
  readonly problems: PlanProblems;
  /** Where earlier stages have their ledgers. */
  readonly results: ResultsStore;
  /** Opens the ledger that the source names, where it is not one of `results`. */
  readonly openLedger?: ((signal: AbortSignal) => Promise<SourceLedger>) | undefined;
  readonly scratch: Scratch;
}

/** The objects of a source, some at a time. */
export function readSource(
  input: SourceInput,
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  const { from } = input.job;
  switch (from.kind) {
    case 'KeyList':
      return readKeyList(input, from, signal);
    case 'Ledger':
      return readFromLedger(input, from.stage, signal);
    case 'Listing':
    default:
      return readListing(input, signal);
  }
}

async function* readFromLedger(
  input: SourceInput,
  stage: string,
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  const { results, openLedger, job } = input;
  const own = { results, stage, store: job.source.store };
  yield* readLedgerOf(input, (await openLedger?.(signal)) ?? own, signal);
}

async function* readListing(
  { job, sides, problems }: SourceInput,
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  for await (const page of listPages(sides.source, job.source, signal)) {
    for (const { key } of page) {
      // A store that ignores encoding-type writes U+FFFD for characters that XML cannot carry. Such a key is looked up,
      // because it may really hold that character.
      if (!key.includes('\uFFFD')) continue;
      const head = await headObject(sides.source, { bucket: job.source.bucket, key }, signal);
      if (head !== undefined) continue;
      problems.add(
        `the store lists ${nameKey(key)} but does not have it: the key holds a character that its listing cannot carry; ` +
          'rename or delete this object',
      );
    }
    yield page;
  }
}
