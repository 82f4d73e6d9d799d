import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { contents, CopyBed, listAll, seed } from '../support/copybed.ts';
import { EXPECTED, OBJECTS, provideBuckets, renamingStage } from '../support/copyworld.ts';
import { startJudge } from '../support/judge.ts';
import { isProbe, operationOf, startProxy, type PassingRequest, type S3Proxy } from '../support/s3proxy.ts';
import type { S3Server } from '../support/s3server.ts';

let gateway: S3Server;
let proxy: S3Proxy;
let bed: CopyBed;
let from = '';
let to = '';

const buckets = provideBuckets(startJudge, (server) => server.createBucket('results'));
beforeEach(async () => {
  ({ server: gateway, from, to } = buckets);
  proxy = await startProxy(gateway.endpoint);
  bed = await CopyBed.create(gateway, 'results', proxy.endpoint);
});
afterEach(async () => {
  await bed.stop();
  await proxy.stop();
});

const stage = (extra: object = {}) => renamingStage({ from, to }, extra);

function copiedKeys(requests: readonly PassingRequest[]): string[] {
  const copies = requests.filter((request) => operationOf(request) === 'CopyObject' && !isProbe(request));
  return copies.map(({ url }) => decodeURIComponent(url.slice(`/${to}/`.length)));
}

/** Runs a worker process until `when` says that it is to get the signal, or to its end. */
async function runUntil(
  extra: object,
  signal: 'SIGKILL' | 'SIGTERM',
  when: (request: PassingRequest, count: number) => boolean,
): Promise<{ code: number | null; copied: string[] }> {
  const start = proxy.seen.length;
  const child = await bed.spawn(stage(extra));
  let sent = false;
  proxy.onRequest = (request) => {
    if (!sent && when(request, proxy.seen.length - start)) {
      sent = true;
      child.kill(signal);
    }
    return 'pass';
  };
  const [code] = await once(child, 'exit');
  proxy.onRequest = () => 'pass';
  return { code, copied: copiedKeys(proxy.seen.slice(start)) };
}

/** Moments at which a worker is killed, each in a process of its own, one after the other. */
const moments: readonly [string, (request: PassingRequest, count: number) => boolean][] = [
  ['at its first request', (_request, count) => count === 1],
  ['while it probes', (request) => isProbe(request)],
  [
    'when it writes a shard',
    ({ method, url }) => method === 'PUT' && url.includes('/plan/') && url.includes('.zst'),
  ],
  ['when it writes the index', ({ method, url }) => method === 'PUT' && url.includes('/plan/index.json')],
  [
    'after 40 copies',
    (request) => operationOf(request) === 'CopyObject' && copiedKeys(proxy.seen).length > 40,
  ],
  ['when it writes a segment', ({ method, url }) => method === 'PUT' && url.includes('/ledger/')],
  ['after 150 copies', () => copiedKeys(proxy.seen).length > 150],
  ['when it closes the shard', ({ method, url }) => method === 'PUT' && url.includes('/done.json')],
];

const whileDeleting: (typeof moments)[number] = [
  'while it deletes sources',
  (request) => operationOf(request) === 'DeleteObject' && request.url.startsWith(`/${from}/`),
];

// A Move does all that a Copy does, and then deletes: before the second server that is enough.
const modes = inject('judge') === 'versitygw' ? (['Copy', 'Move'] as const) : (['Move'] as const);

describe('kill -9 anywhere, then resume', () => {
  test.each(modes)('%s: the same bytes at the same keys, nothing recorded is copied again', async (mode) => {
    await seed(bed.client, from, OBJECTS);
    const kills: (number | null)[] = [];
    const killedAt = mode === 'Move' ? [...moments, whileDeleting] : moments;
    for (const [, when] of killedAt) {
      const recorded = new Set((await bed.ledgerRows()).map((row) => row.destination));
      const { code, copied } = await runUntil({ mode }, 'SIGKILL', when);
      kills.push(code);
      expect(copied.filter((key) => recorded.has(key))).toEqual([]);
    }
    // A worker that was killed has no exit code: all of them were.
    expect(kills).toEqual(killedAt.map(() => null));
    const ended = await bed.run(stage({ mode }));
    expect(ended.manifest?.message).toBeUndefined();
    expect(ended.code).toBe(EXIT.ok);
    const moved = mode === 'Move' ? 300 : 0;
    expect(ended.manifest?.copy).toMatchObject({
      planned: 300,
      copied: 300,
      renamed: 300,
      failed: 0,
      moved,
    });
    expect(await contents(bed.client, to)).toEqual(EXPECTED);
    expect(await listAll(bed.client, from)).toHaveLength(300 - moved);
    // Unrecorded copies were found by HEAD; only what was under way at a kill may have been sent twice.
    const copies = copiedKeys(proxy.seen);
    expect(copies.length - new Set(copies).size).toBeLessThanOrEqual(64 * killedAt.length);
    expect(new Set((await bed.ledgerRows()).map((row) => row.destination)).size).toBe(300);
  });
});

test('SIGTERM: what is under way is finished and recorded, and the next worker goes on', async () => {
  await seed(bed.client, from, OBJECTS);
  const first = await runUntil({}, 'SIGTERM', () => copiedKeys(proxy.seen).length > 150);
  expect(first.code).toBe(EXIT.terminated);
  const recorded = (await bed.ledgerRows()).map((row) => row.destination);
  expect(recorded.toSorted()).toEqual(first.copied.toSorted());
  expect(recorded.length).toBeLessThan(300);
  const second = await runUntil({}, 'SIGTERM', () => false);
  expect(second.code).toBe(EXIT.ok);
  expect(second.copied.filter((key) => recorded.includes(key))).toEqual([]);
  expect(await contents(bed.client, to)).toEqual(EXPECTED);
});

test.each(modes)('%s: two pods of one worker at the same time do no harm', async (mode) => {
  await seed(bed.client, from, OBJECTS);
  const both = await Promise.all([bed.run(stage({ mode })), bed.run(stage({ mode }))]);
  expect(both.map(({ code, manifest }) => [code, manifest?.message])).toEqual([
    [EXIT.ok, undefined],
    [EXIT.ok, undefined],
  ]);
  expect(await contents(bed.client, to)).toEqual(EXPECTED);
  expect(await listAll(bed.client, from)).toHaveLength(mode === 'Move' ? 0 : 300);
});
