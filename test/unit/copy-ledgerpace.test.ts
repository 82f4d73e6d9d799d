import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LedgerRow } from '../../workers/contract/ledger.ts';
import { LedgerWriter } from '../../workers/copy/ledgerwriter.ts';
import type { ResultsStore } from '../../workers/copy/results.ts';

const never = new AbortController().signal;
const row: LedgerRow = {
  row: 0,
  outcome: 'Copied',
  source: 'a',
  sourceEtag: 'e',
  size: 1,
  destination: 'b',
  destinationEtag: 'e',
  time: 0,
};

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => vi.useRealTimers());

test('a copy of many days has no more segments than can be listed, and never waits long in the beginning', async () => {
  let segments = 0;
  const results: ResultsStore = {
    list: async () => new Set<string>(),
    listBelow: async () => new Set<string>(),
    get: async () => Buffer.alloc(0),
    prepare: async () => undefined,
    put: async () => {
      segments += 1;
      return 'Stored';
    },
  };
  const ledger = new LedgerWriter(results, { stage: 's', shard: 0, podUID: 'p' }, never);
  const copyFor = async (seconds: number, every: number): Promise<void> => {
    for (let second = 0; second < seconds; second += every) {
      ledger.add(row);
      vi.advanceTimersByTime(every * 1_000);
    }
    await ledger.close();
  };
  await copyFor(300, 1);
  expect(segments).toBeGreaterThanOrEqual(50);
  await copyFor(7 * 86_400, 60);
  expect(segments).toBeLessThan(1_000);
});
