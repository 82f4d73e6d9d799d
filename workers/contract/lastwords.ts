/** What the workers of a stage did together, from their manifests. Pure. */
import { MOST_DEAD_LETTERS, type CopyResult, type WorkerManifest } from './manifests.ts';

/**
 * The last word of every worker index that left one. A pod of an index goes on where the one before it ended, so that
 * its figures hold those of the others; a success counts more than what another pod of the index said after it.
 */
export function lastWords(manifests: Iterable<WorkerManifest>): WorkerManifest[] {
  const last = new Map<number, WorkerManifest>();
  for (const manifest of manifests) {
    const known = last.get(manifest.index);
    if (known === undefined || isLater(manifest, known)) last.set(manifest.index, manifest);
  }
  return [...last.values()];
}

function isLater(a: WorkerManifest, b: WorkerManifest): boolean {
  const [good, wasGood] = [a.exit.code === 0, b.exit.code === 0];
  return good === wasGood ? a.endTime >= b.endTime : good;
}

/** The figures of all workers; undefined when none left any. */
export function sumCopies(words: readonly WorkerManifest[]): CopyResult | undefined {
  const [first, ...others] = words.flatMap(({ copy }) => (copy === undefined ? [] : [copy]));
  if (first === undefined) return undefined;
  return others.reduce(
    (sum, one) => ({
      planned: sum.planned + one.planned,
      copied: sum.copied + one.copied,
      renamed: sum.renamed + one.renamed,
      skipped: sum.skipped + one.skipped,
      unchanged: sum.unchanged + one.unchanged,
      moved: sum.moved + one.moved,
      failed: sum.failed + one.failed,
      bytes: sum.bytes + one.bytes,
      ...addVerified(sum, one),
      ...addTraffic(sum, one),
      ...bothDeadLetters(sum, one),
    }),
    first,
  );
}

/** Present where any of them was asked to verify more than ETags. */
function addVerified(a: CopyResult, b: CopyResult): Pick<CopyResult, 'verified' | 'reread'> {
  if (a.verified === undefined && b.verified === undefined) return {};
  return {
    verified: (a.verified ?? 0) + (b.verified ?? 0),
    reread: (a.reread ?? 0) + (b.reread ?? 0),
  };
}

function bothDeadLetters(a: CopyResult, b: CopyResult): Pick<CopyResult, 'deadLetters'> {
  const deadLetters = [...(a.deadLetters ?? []), ...(b.deadLetters ?? [])].slice(0, MOST_DEAD_LETTERS);
  return deadLetters.length === 0 ? {} : { deadLetters };
}

function addTraffic(a: CopyResult, b: CopyResult): Pick<CopyResult, 'requests' | 'throttled'> {
  if (a.requests === undefined && b.requests === undefined) return {};
  return {
    requests: (a.requests ?? 0) + (b.requests ?? 0),
    throttled: (a.throttled ?? 0) + (b.throttled ?? 0),
  };
}
