/** The word that was probably meant: the one with the fewest letters to change, if they are few. Pure. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const most = Math.ceil(word.length / 3);
  const near = known
    .map((candidate) => ({ candidate, changes: countChanges(word, candidate) }))
    .filter(({ changes }) => changes <= most)
    .toSorted((a, b) => a.changes - b.changes);
  return near[0]?.candidate;
}

/** Letters to put in, take out or replace. */
function countChanges(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const letter of from) {
    const next = [(row[0] ?? 0) + 1];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (to[column - 1] === letter ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
