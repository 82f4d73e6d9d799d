import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  ledgerDoneKey,
  ledgerSegmentKey,
  planIndexKey,
  planShardKey,
  shardLedgerPrefix,
} from '../../workers/contract/keys.ts';
import { LocalStore } from '../../workers/copy/localstore.ts';

const signal = AbortSignal.timeout(60_000);
const pod = '5e5c0a5e-0000-4000-8000-000000000001';
let root = '';

beforeEach(async () => {
  root = join(await mkdtemp(join(tmpdir(), 'ebbflow-local-')), 'state');
});
afterEach(async () => rm(join(root, '..'), { recursive: true, force: true }));

test('what is written is listed by its key and read back, also by another process', async () => {
  const keys = [planShardKey('copy', 0), planIndexKey('copy'), ledgerSegmentKey('copy', 0, pod, 7)];
  const store = new LocalStore(root);
  expect(await store.list('copy')).toEqual(new Set());
  for (const key of keys) expect(await store.put(key, Buffer.from(key), signal)).toBe('Stored');
  await store.put(planIndexKey('other'), Buffer.from('of another stage'), signal);
  const again = new LocalStore(root);
  expect(await again.list('copy')).toEqual(new Set(keys));
  expect(await again.listBelow('copy', shardLedgerPrefix('copy', 0))).toEqual(new Set(keys.slice(2)));
  expect(await again.listBelow('copy', shardLedgerPrefix('copy', 1))).toEqual(new Set());
  for (const key of keys) expect((await again.get(key, signal)).toString()).toBe(key);
});

test('a key is written once, also by many at the same moment', async () => {
  const key = ledgerDoneKey('copy', 3);
  const bodies = Array.from({ length: 20 }, (_, n) => `writer ${n} ${'x'.repeat(n * 1000)}`);
  const outcomes = await Promise.all(
    bodies.map((body) => new LocalStore(root).put(key, Buffer.from(body), signal)),
  );
  const winner = outcomes.indexOf('Stored');
  expect(outcomes.filter((outcome) => outcome === 'Stored')).toHaveLength(1);
  expect((await new LocalStore(root).get(key, signal)).toString()).toBe(bodies[winner]);
});

test('a half-written file of a crash is no object, and goes away', async () => {
  const store = new LocalStore(root);
  await store.put(planIndexKey('copy'), Buffer.from('whole'), signal);
  await writeFile(join(root, 'unfinished', 'half'), 'ha');
  expect(await store.list('copy')).toEqual(new Set([planIndexKey('copy')]));
  await store.tidy();
  expect(await store.put(planShardKey('copy', 1), Buffer.from('next'), signal)).toBe('Stored');
});

test('a directory that cannot be used is named with what is wrong', async () => {
  await writeFile(root, 'a file');
  const store = new LocalStore(root);
  await expect(store.put(planIndexKey('copy'), Buffer.from('x'), signal)).rejects.toThrow(
    /state\/copy\/plan\/index\.json cannot be written: ENOTDIR|EEXIST/,
  );
  await expect(store.get('copy/plan/9.zst', signal)).rejects.toThrow(
    /9\.zst cannot be read: E(NOTDIR|NOENT)/,
  );
});
