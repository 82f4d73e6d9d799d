/** The results store of a copy worker, where the operator's answers come in pages. */
import { expect, test } from 'vitest';
import { GrantedStore } from '../../workers/copy/grantedstore.ts';
import type { GrantReply, GrantRequest } from '../../workers/contract/workerapi.ts';

const expiresAt = new Date(Date.now() + 900_000).toISOString();

/** An operator that lists so many keys at once. */
function listing(keys: readonly string[], pageLength: number) {
  const asked: GrantRequest[] = [];
  const grant = (key: string) => ({ key, url: `https://store.test/${key}` });
  const grants = async (request: GrantRequest): Promise<GrantReply> => {
    asked.push(request);
    const { after = '' } = request;
    const from = keys.includes(after)
      ? keys.indexOf(after) + 1
      : keys.findIndex((key) => key.startsWith(after));
    const page = request.list === undefined ? [] : keys.slice(from, from + pageLength);
    const more = from + page.length < keys.length ? page.at(-1) : undefined;
    const get = (request.get ?? []).map(grant);
    return { put: [], get, existing: page.map(grant), expiresAt, ...(more === undefined ? {} : { more }) };
  };
  const get = async ({ key }: { key: string }): Promise<Buffer> => Buffer.from(key);
  return { asked, api: { grants, get, put: async () => 'stored' as const } };
}

const signal = new AbortController().signal;

test.each([1, 2, 4, 5, 6])('every key of a stage is listed, %i at a time', async (pageLength) => {
  const keys = ['arrange/plan/0.zst', 'arrange/plan/1.zst', 'arrange/ledger/0/a.zst', 'b', 'c'];
  const { api, asked } = listing(keys, pageLength);
  const store = new GrantedStore(api);
  expect([...(await store.list('arrange', signal))]).toEqual(keys);
  expect(asked).toHaveLength(Math.ceil(keys.length / pageLength));
});

test('keys of which no URL was kept are read as well', async () => {
  const keys = Array.from({ length: 20_002 }, (_, n) => `arrange/ledger/${n}/done.json`);
  const { api, asked } = listing(keys, 5_000);
  const store = new GrantedStore(api);
  await store.list('arrange', signal);
  const before = asked.length;
  expect(String(await store.get('arrange/ledger/0/done.json', signal))).toBe('arrange/ledger/0/done.json');
  expect(asked).toHaveLength(before);
  const last = 'arrange/ledger/20001/done.json';
  expect(String(await store.get(last, signal))).toBe(last);
  expect(asked.slice(before)).toEqual([{ get: [last] }]);
});

test('one shard of many is listed by itself, and only its URLs are kept', async () => {
  const keys = Array.from({ length: 1_000 }, (_, shard) => [
    `arrange/ledger/${shard}/a.zst`,
    `arrange/ledger/${shard}/done.json`,
  ]).flat();
  const { api, asked } = listing(keys, 5);
  const store = new GrantedStore(api);
  const [first, done] = ['arrange/ledger/7/a.zst', 'arrange/ledger/7/done.json'];
  expect([...(await store.listBelow('arrange', 'arrange/ledger/7/', signal))]).toEqual([first, done]);
  expect(asked).toEqual([{ list: ['arrange'], after: 'arrange/ledger/7/' }]);
  const other = 'arrange/ledger/8/a.zst';
  expect(String(await store.get(first, signal))).toBe(first);
  expect(String(await store.get(other, signal))).toBe(other);
  expect(asked.slice(1)).toEqual([{ get: [other] }]);
  await store.listBelow('arrange', 'arrange/ledger/9/', signal);
  expect(String(await store.get(done, signal))).toBe(done);
  expect(asked.slice(3)).toEqual([{ get: [done] }]);
});
