import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take long, the longest first: what begins last should not be what everybody waits for in the end. A clean clone
 * knows no times, so they are here. Of whole runs, those come first that leave something of the processor: what `store`
 * promises, it promises in its first minute.
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
  'integration/copy-verify',
  'e2e/store',
  'e2e/metrics',
  'e2e/main',
  'e2e/suspend',
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
