import type { PlanRow } from '../contract/copyplan.ts';
import type { ListedObject } from '../s3/listing.ts';
import type { CopyJob } from './job.ts';
import { nameKey, type PlanProblems } from './problems.ts';
import { DestinationProof, normaliseKey, type KeyEquivalence } from './proof.ts';

/** A row before it is known what is at its destination. */
export type DraftRow = Omit<PlanRow, 'action'>;

/**
 * Takes all destinations into a proof and names what excludes each other: two sources for one key, a file where
 * another row needs a directory, and inside one bucket a destination that is the source of another row.
 */
export function findClashes(
  drafts: readonly DraftRow[],
  equivalence: KeyEquivalence,
  oneSpace: boolean,
  problems: PlanProblems,
): DestinationProof {
  const proof = new DestinationProof(equivalence);
  for (const [index, draft] of drafts.entries()) {
    const clash = proof.add(index, draft.destination);
    const other = clash === undefined ? undefined : drafts[clash.row];
    if (clash === undefined || other === undefined) continue;
    problems.add(
      clash.kind === 'same'
        ? `${nameKey(other.source)} and ${nameKey(draft.source)} would both become ${nameKey(draft.destination)}` +
            (other.destination === draft.destination
              ? ''
              : ` (${nameKey(other.destination)} is the same key to this store, which compares keys as ${equivalence})`)
        : `${nameKey(other.source)} would become ${nameKey(other.destination)} and ${nameKey(draft.source)} ` +
            `${nameKey(draft.destination)}: this store cannot hold one key inside the other`,
    );
  }
  if (oneSpace) findChains(drafts, equivalence, problems);
  return proof;
}

/** Inside one key space the order of copies would matter where one row's destination is another row's source. */
function findChains(drafts: readonly DraftRow[], equivalence: KeyEquivalence, problems: PlanProblems): void {
  const sources = new Map<string, number>();
  for (const [index, draft] of drafts.entries())
    sources.set(normaliseKey(draft.source, equivalence).path, index);
  for (const [index, draft] of drafts.entries()) {
    const at = sources.get(normaliseKey(draft.destination, equivalence).path);
    const other = at === undefined || at === index ? undefined : drafts[at];
    if (other === undefined) continue;
    problems.add(
      `${nameKey(draft.source)} would become ${nameKey(draft.destination)}, which is itself a source and would become ` +
        `${nameKey(other.destination)}: inside one bucket no destination may be a source; use another prefix`,
    );
  }
}

/** Joins the listing of the destination with the plan and decides what is done with every row. */
export async function joinExisting(input: {
  readonly job: CopyJob;
  readonly drafts: readonly DraftRow[];
  readonly proof: DestinationProof;
  /** True when source and destination keys live in one key space. */
  readonly oneSpace: boolean;
  readonly keyEquivalence: KeyEquivalence;
  readonly pages: AsyncIterable<readonly ListedObject[]>;
  /** Whether source and destination are the same bytes where their ETags cannot tell. */
  readonly haveSameBytes: (row: PlanRow) => Promise<boolean>;
  readonly problems: PlanProblems;
}): Promise<PlanRow[]> {
  const { job, drafts, proof, problems } = input;
  const rows: PlanRow[] = drafts.map((draft) => ({
    ...draft,
    action: input.oneSpace && isSameKey(draft, input.keyEquivalence) ? 'Unchanged' : 'Copy',
  }));
  for await (const page of input.pages) {
    for (const object of page) {
      const clash = proof.existing(object.key);
      const row = clash === undefined ? undefined : rows[clash.row];
      if (clash === undefined || row === undefined || row.action === 'Unchanged') continue;
      if (clash.kind === 'ancestor') {
        problems.add(
          `${nameKey(row.source)} would become ${nameKey(row.destination)}, but ${nameKey(object.key)} exists, and ` +
            'this store cannot hold one key inside the other',
        );
      } else if (job.onExisting !== 'Overwrite') {
        const skips = job.onExisting === 'SkipIdentical';
        const unsure =
          skips && row.size === object.size && !(isPlainEtag(row.etag) && isPlainEtag(object.etag));
        const identical = skips && (isIdentical(row, object) || (unsure && (await input.haveSameBytes(row))));
        if (identical) rows[clash.row] = { ...row, action: 'Skip' };
        else problems.add(describeExisting(row, object, job));
      }
    }
  }
  return rows;
}

/** The same bytes, as far as size and ETag can tell. */
export function isIdentical(
  row: { readonly size: number; readonly etag: string },
  object: { readonly size: number; readonly etag: string },
): boolean {
  return row.etag !== '' && row.size === object.size && row.etag === object.etag;
}

/** An MD5 sum of the content, which two objects with the same content have in common. */
export function isPlainEtag(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag);
}

function isSameKey(draft: DraftRow, equivalence: KeyEquivalence): boolean {
  const source = normaliseKey(draft.source, equivalence);
  return source.path === normaliseKey(draft.destination, equivalence).path;
}

function describeExisting(row: PlanRow, object: ListedObject, job: CopyJob): string {
  const what = `${nameKey(row.source)} would become ${nameKey(row.destination)}, which exists`;
  if (job.onExisting === 'Fail')
    return `${what}; delete it, or set copy.onExisting to SkipIdentical or Overwrite`;
  const difference =
    row.size === object.size
      ? `with ETag ${object.etag} instead of ${row.etag}`
      : `with ${object.size} bytes instead of ${row.size}`;
  return `${what} ${difference}; delete it, or set copy.onExisting to Overwrite`;
}
