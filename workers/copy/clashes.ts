import type { DraftFile, DraftRow } from './draftfile.ts';
import { FirstTen, nameKey, type PlanProblems } from './problems.ts';
import type { Clash, PlanProof } from './proof.ts';

const kinds = ['same', 'ancestor', 'chain'] as const;

/** Names what excludes each other in a plan whose rows are all in the proof. */
export async function findClashes(
  proof: PlanProof,
  drafts: DraftFile,
  problems: PlanProblems,
): Promise<void> {
  const clashes = new FirstTen<Clash>();
  await proof.findClashes((clash) => {
    // In the order in which somebody who reads the plan from its start comes upon them.
    const later = Math.max(clash.row, clash.otherRow);
    clashes.add(later * kinds.length + kinds.indexOf(clash.kind), clash.otherPosition, clash);
  });
  problems.addAll(
    clashes.total,
    clashes.first.map((clash) => {
      const row = drafts.read(clash.position);
      const other = drafts.read(clash.otherPosition);
      // A chain has a direction; else the one that comes first is named first.
      const turned = clash.kind !== 'chain' && clash.row < clash.otherRow;
      const [later, earlier] = turned ? [other, row] : [row, other];
      return describeClash(clash.kind, later, earlier, proof.space.equivalence);
    }),
  );
}

function describeClash(kind: Clash['kind'], row: DraftRow, other: DraftRow, equivalence: string): string {
  switch (kind) {
    case 'same':
      return (
        `${nameKey(other.source)} and ${nameKey(row.source)} would both become ${nameKey(row.destination)}` +
        (other.destination === row.destination
          ? ''
          : ` (${nameKey(other.destination)} is the same key to this store, which compares keys as ${equivalence})`)
      );
    case 'ancestor':
      return (
        `${nameKey(other.source)} would become ${nameKey(other.destination)} and ${nameKey(row.source)} ` +
        `${nameKey(row.destination)}: this store cannot hold one key inside the other`
      );
    case 'chain':
      if (row.source === other.source)
        return (
          `${nameKey(row.source)} would become ${nameKey(row.destination)}: some stores that compare keys as ` +
          `${equivalence} take both for one key, others do not; use another key`
        );
      return (
        `${nameKey(row.source)} would become ${nameKey(row.destination)}, which is itself a source and would become ` +
        `${nameKey(other.destination)}: inside one bucket no destination may be a source; use another prefix`
      );
    default:
      return kind satisfies never;
  }
}
