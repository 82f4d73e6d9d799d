import { tmpdir } from 'node:os';
import { DraftFile } from '../../workers/copy/draftfile.ts';
import { ExistingObjects } from '../../workers/copy/existing.ts';
import { KeyHash } from '../../workers/copy/keyhash.ts';
import { PlanProof, type KeySpace } from '../../workers/copy/proof.ts';
import { Scratch } from '../../workers/copy/scratch.ts';

/** A source key and the destination that it would become. */
export type Rename = readonly [source: string, destination: string];

/** A hash under which all keys are equal, so that only the comparison of the keys themselves can tell them apart. */
export class SameHash extends KeyHash {
  override take(): void {
    this.a = 7;
    this.b = 7;
    this.c = 7;
    this.d = 7;
  }
}

/** What a proof finds, with rows by number. */
export interface Found {
  /** `kind row`, in order. */
  readonly clashes: readonly string[];
  /** `kind row key`, in order: what meets existing keys. */
  readonly meetings: readonly string[];
  readonly unchanged: readonly number[];
}

/** Runs a whole proof and the join with existing keys. */
export async function prove(
  renames: readonly Rename[],
  existing: readonly string[],
  space: KeySpace,
  options: { readonly hash?: KeyHash; readonly memory?: number } = {},
): Promise<Found> {
  const { hash, memory } = options;
  using scratch = new Scratch({ directory: tmpdir(), limit: 1024 ** 3, ...(memory && { memory }) });
  const drafts = new DraftFile(scratch);
  const proof = new PlanProof(drafts, space, scratch, hash);
  for (const [source, destination] of renames) {
    const row = { source, destination, etag: 'e', size: 1 };
    proof.add(drafts.rows, drafts.add(row), row);
  }
  const clashes: string[] = [];
  await proof.findClashes(({ kind, row }) => clashes.push(`${kind} ${row}`));
  const objects = new ExistingObjects(proof, scratch);
  for (const key of existing)
    objects.add({ key, etag: 'e', size: 1, lastModified: '', storageClass: undefined });
  const meetings: string[] = [];
  await objects.meet((met) => meetings.push(`${met.kind} ${met.row} ${objects.read(met.existing).key}`));
  const unchanged = renames.map((_, row) => row).filter((row) => proof.unchanged.has(row));
  return { clashes: clashes.toSorted(), meetings: meetings.toSorted(), unchanged };
}
