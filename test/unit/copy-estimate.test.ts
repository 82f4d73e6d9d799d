import { describe, expect, test } from 'vitest';
import { type EstimatedJob, RequestCounter } from '../../workers/copy/estimate.ts';

const MiB = 1024 ** 2;
const verification = { kind: 'ETag' } as const;
const job = { mode: 'Copy', transfer: 'ServerSide', multipartThreshold: 256 * MiB, verification } as const;

function count(some: EstimatedJob, ...rows: Parameters<RequestCounter['addRow']>[]) {
  const counter = new RequestCounter(some);
  for (const row of rows) counter.addRow(...row);
  return Object.fromEntries(Object.entries(counter.estimate).filter(([, number]) => number > 0));
}

describe('the requests of a copy', () => {
  test('inside a store are one per object, and parts for large ones', () => {
    expect(count(job, ['Copy', 1], ['Copy', 256 * MiB], ['Skip', 1], ['Unchanged', 1])).toEqual({ copy: 2 });
    expect(count(job, ['Copy', 256 * MiB + 1])).toEqual({ uploadPart: 3, put: 2, head: 1, get: 1 });
  });

  test('between stores are reads and writes', () => {
    const stream = { ...job, transfer: 'Stream' } as const;
    expect(count(stream, ['Copy', 1])).toEqual({ head: 1, get: 2, put: 1 });
    expect(count(stream, ['Copy', 200 * MiB])).toEqual({ head: 1, get: 14, put: 2, uploadPart: 13 });
  });

  test('in mode Move delete what was copied or was there, and never what stays', () => {
    const move = { ...job, mode: 'Move' } as const;
    const counted = count(move, ['Copy', 1], ['Skip', 1], ['Unchanged', 1]);
    expect(counted).toEqual({ copy: 1, head: 2, delete: 2 });
  });

  test('grow with the verification, also of what was there before', () => {
    const rows: Parameters<RequestCounter['addRow']>[] = [
      ['Copy', 1],
      ['Skip', 1],
      ['Unchanged', 1],
    ];
    const checksum = { ...job, verification: { kind: 'Checksum' } } as const;
    expect(count(checksum, ...rows)).toEqual({ copy: 1, head: 4 });
    const sample = { ...job, verification: { kind: 'Sample', percent: 50 } } as const;
    expect(count(sample, ...rows)).toEqual({ copy: 1, get: 2 });
  });

  test.each([
    [0, 1],
    [1, 1],
    [1000, 1],
    [1001, 2],
  ])('a listing of %i keys takes %i', (keys, list) => {
    const counter = new RequestCounter(job);
    counter.addListing(keys);
    expect(counter.estimate.list).toBe(list);
  });
});
