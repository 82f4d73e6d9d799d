import type { ListedObject } from '../s3/listing.ts';
import type { DraftFile, DraftRow } from './draftfile.ts';
import { findCopied, type Candidate, type EarlierLedger } from './earlier.ts';
import { isPath, isSurelyOne } from './equivalence.ts';
import { ExistingObjects, type Met } from './existing.ts';
import type { CopyJob } from './job.ts';
import { Meetings } from './meetings.ts';
import { runBounded } from './pool.ts';
import { FirstTen, nameKey, type PlanProblems } from './problems.ts';
import type { PlanProof } from './proof.ts';
import { RecognisedRows } from './recognised.ts';
import { RowSet } from './rowset.ts';
import { isIdentical } from './samebytes.ts';
import type { Scratch } from './scratch.ts';

/** What a destination's object is known by. */
export interface ExistingObject {
  readonly key: string;
  readonly etag: string;
  readonly size: number;
}

/** What is needed to join a plan with what is at its destination. */
export interface JoinInput {
  readonly job: CopyJob;
  readonly drafts: DraftFile;
  /** Of this plan, complete. */
  readonly proof: PlanProof;
  readonly scratch: Scratch;
  /** The listing of the destination. */
  readonly pages: AsyncIterable<readonly ListedObject[]>;
  /** What may tell that a destination is the copy of its source. */
  readonly earlier: readonly EarlierLedger[];
  /** Whether source and destination are the same bytes where their ETags cannot tell. */
  readonly haveSameBytes: (row: DraftRow, existing: ExistingObject, signal: AbortSignal) => Promise<boolean>;
  readonly problems: PlanProblems;
}

/** What a join found out. */
export interface Joined {
  /** Rows that need not be copied. */
  readonly skipped: RowSet;
  /** The ETag of what is at a skipped row's destination, where it is not the source's. */
  readonly existingEtag: (row: number) => string | undefined;
  /** Objects at the destination. */
  readonly listed: number;
}

/** So many rows that cannot be carried out are looked for one by one. */
const enough = 1_000;

/** Decides what is done with rows whose destination exists. */
export async function joinExisting(input: JoinInput, signal: AbortSignal): Promise<Joined> {
  const { job, drafts, proof, scratch } = input;
  const skipped = new RowSet();
  // Keys that exist are overwritten then; only a directory in the place of a file would still be in the way.
  if (job.onExisting === 'Overwrite' && !isPath(proof.space.equivalence))
    return { skipped, existingEtag: () => undefined, listed: 0 };
  const existing = new ExistingObjects(proof, scratch);
  let listed = 0;
  for await (const page of input.pages) {
    listed += page.length;
    for (const object of page) existing.add(object);
  }

  const inTheWay = new FirstTen<Met>();
  const unsure = new Meetings(scratch);
  const recognised = new RecognisedRows();
  await existing.meet((met) => {
    if (proof.unchanged.has(met.row)) return;
    if (met.kind === 'same' && job.onExisting === 'Overwrite') return;
    if (met.kind === 'same' && job.onExisting === 'SkipIdentical') {
      const [row, object] = [drafts.read(met.position), existing.read(met.existing)];
      if (isSurelyOne(row.destination, object.key, proof.space.equivalence)) {
        if (isIdentical(row, object)) return skipped.add(met.row);
        // ETags that differ are those of other bytes only where both are MD5 sums, and a listing does not say that.
        if (row.size === object.size) return unsure.add(met);
      }
    }
    inTheWay.add(met.row, met.existing, met);
  });
  const candidate = ({ row, position, existing: at }: Met): Candidate => ({
    number: row,
    row: drafts.read(position),
    existingEtag: existing.read(at).etag,
  });
  const copied = await findCopied(input.earlier, unsure.all().map(candidate), job, signal);
  const look = async (met: Met, rowSignal: AbortSignal): Promise<void> => {
    if (!copied.has(met.row)) {
      const [row, object] = [drafts.read(met.position), existing.read(met.existing)];
      // After so many the plan is refused in any case: no reason to ask for what else is in the way.
      const same = inTheWay.total < enough && (await input.haveSameBytes(row, object, rowSignal));
      if (!same) return inTheWay.add(met.row, met.existing, met);
    }
    skipped.add(met.row);
    recognised.add(met.row, met.existing);
  };
  await runBounded(unsure.all(), job.concurrency, look, signal);
  const words = inTheWay.first.map((met) =>
    describeMet(met, drafts.read(met.position), existing.read(met.existing), { job, space: proof.space }),
  );
  input.problems.addAll(inTheWay.total, words);
  const existingEtag = (row: number): string | undefined => {
    const position = recognised.positionOf(row);
    return position === undefined ? undefined : existing.read(position).etag;
  };
  return { skipped, existingEtag, listed };
}

function describeMet(
  met: Met,
  row: DraftRow,
  object: ExistingObject,
  { job, space: { equivalence } }: { readonly job: CopyJob; readonly space: PlanProof['space'] },
): string {
  const becomes = `${nameKey(row.source)} would become ${nameKey(row.destination)}`;
  if (met.kind === 'ancestor')
    return `${becomes}, but ${nameKey(object.key)} exists, and this store cannot hold one key inside the other`;
  if (!isSurelyOne(row.destination, object.key, equivalence))
    return (
      `${becomes}, and ${nameKey(object.key)} exists: some stores that compare keys as ${equivalence} take both for one ` +
      'key, others do not; use another key, or delete it'
    );
  if (job.onExisting === 'Fail')
    return `${becomes}, which exists; delete it, or set copy.onExisting to SkipIdentical or Overwrite`;
  const difference =
    row.size === object.size
      ? `with ETag ${object.etag} instead of ${row.etag}`
      : `with ${object.size} bytes instead of ${row.size}`;
  return `${becomes}, which exists ${difference}; delete it, or set copy.onExisting to Overwrite`;
}
