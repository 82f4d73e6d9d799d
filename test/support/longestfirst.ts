import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take long, the longest first: what begins last should not be what everybody waits for in the end. A clean clone
 * knows no times, so they are here. `many` keeps the processor busy; it is over when those begin that promise times.
 */
const LONG: readonly string[] = [
  'crash/operator',
  'loopback/fetch',
  'loopback/copy-double',
  'integration/copy-command',
  'integration/copy-crash',
  'integration/cluster-nodes',
  'integration/copy-workers',
  'integration/cluster-lifecycle',
  'integration/copy-audit',
  'e2e/store',
  'e2e/many',
  'e2e/faults',
  'e2e/copyworkers',
  'e2e/badinput',
  'e2e/lifecycle',
  'e2e/suspend',
  'e2e/main',
];

const rankOf = ({ moduleId }: TestSpecification): number => {
  const place = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return place === -1 ? LONG.length : place;
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- not an array's
    const usual = await super.sort(files);
    return usual.toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}
