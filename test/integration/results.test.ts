import { afterAll, beforeAll, expect, test } from 'vitest';
import { ResultsError } from '../../operator/results/errors.ts';
import { S3ResultsStore } from '../../operator/results/store.ts';
import { runPrefix, workerManifestKey } from '../../workers/contract/keys.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { S3Client } from '../../workers/s3/client.ts';
import { attemptRef, FakeContainerLog, podOf, textLines, uid } from '../support/results/fakepods.ts';
import { readBack } from '../support/results/readback.ts';
import { CLUSTER, createService, decidedRun, manifestOf } from '../support/results/runs.ts';
import { type Gateway, startGateway } from '../support/versitygw.ts';

let gateway: Gateway;
let client: S3Client;
let store: S3ResultsStore;
const signal = AbortSignal.timeout(60_000);

beforeAll(async () => {
  gateway = await startGateway();
  await gateway.createBucket('results');
  const { endpoint, region, accessKeyId, secretAccessKey } = gateway;
  client = new S3Client({
    endpoint,
    region,
    credentials: fixedCredentials({ accessKeyId, secretAccessKey }),
  });
  store = new S3ResultsStore({ client, bucket: 'results', grantSeconds: 60 });
});
afterAll(async () => {
  await client.close();
  await gateway.stop();
});

test('the store writes once where it is told to, lists from a key on, and says what it refuses', async () => {
  expect(await store.put('a/1', Buffer.from('one'), { ifNoneMatch: true, signal })).toBe('written');
  expect(await store.put('a/1', Buffer.from('two'), { ifNoneMatch: true, signal })).toBe('exists');
  expect((await store.get('a/1', { signal }))?.toString()).toBe('one');
  expect(await store.get('a/2', { signal })).toBeUndefined();
  for (const key of ['a/2', 'a/3', 'b/1']) await store.put(key, Buffer.from(key), { signal });
  const keys: string[] = [];
  for await (const { key } of store.list('a/', { startAfter: 'a/1', signal })) keys.push(key);
  expect(keys).toEqual(['a/2', 'a/3']);
  const nowhere = new S3ResultsStore({ client, bucket: 'missing-bucket', grantSeconds: 60 });
  await expect(nowhere.put('x', Buffer.from('x'), { signal })).rejects.toMatchObject({
    name: ResultsError.name,
    code: 'NoSuchBucket',
    transient: false,
  });
});

test('a worker can write its key once with the URL it was given, and nothing else', async () => {
  const key = `${runPrefix({ cluster: CLUSTER, namespace: 'team', runUID: uid(7) })}worker.json`;
  const put = await store.presignPut(key, { signal });
  const send = (url: string, headers: Record<string, string>): Promise<number> =>
    fetch(url, { method: 'PUT', body: '{"ok":true}', headers }).then(({ status }) => status);
  expect(await send(put.url, { ...put.headers })).toBe(200);
  expect(await send(put.url, { ...put.headers })).toBe(412);
  expect(await send(put.url, {})).toBe(403);
  expect(await send(put.url.replace('worker.json', 'run.json'), { ...put.headers })).toBe(403);
  const get = await store.presignGet(key, { signal });
  expect(await (await fetch(get.url)).text()).toBe('{"ok":true}');
  expect((await fetch(get.url.replace('worker.json', 'run.json'))).status).toBe(403);
  expect((await fetch(get.url, { method: 'DELETE' })).status).toBe(403);
});

test('a run is captured, committed, found again by a fresh operator, and its log read back', async () => {
  const ref = attemptRef({ runUID: uid(8), podUID: uid(108) });
  const log = new FakeContainerLog();
  log.lines = textLines(200);
  log.ended = true;
  const prefix = runPrefix({ ...ref, cluster: CLUSTER });
  await store.put(prefix + workerManifestKey(ref), Buffer.from(JSON.stringify(manifestOf(ref))), { signal });
  const first = createService(store, (options) => log.read(options));
  await first.start(signal);
  first.logs.observe(ref, podOf(ref, 'Succeeded', { main: 0, agent: 0 }));
  const run = decidedRun({ uid: uid(8), admitted: ref.podUID });
  const input = { run, attempts: [ref], nodes: { launched: 1, nodeSeconds: 5 }, discrepancies: [] };
  const { record, logsComplete } = await first.commit(input, signal);
  expect(logsComplete).toBe(true);
  expect(record.stages[1]?.attempts[0]?.manifest.kind).toBe('worker');
  await first.writeNodes(
    { namespace: 'team', uid: uid(8) },
    { launched: 1, nodeSeconds: 9 },
    { ifMissing: false, signal },
  );
  const rows = first.index?.dump();
  await first.stop();

  const heir = createService(store, (options) => log.read(options));
  await heir.start(signal);
  await expect.poll(() => heir.indexComplete, { timeout: 120_000 }).toBe(true);
  expect(heir.index?.dump()).toEqual(rows);
  expect(await heir.findRecord({ namespace: 'team', uid: uid(8) }, signal)).toEqual(record);
  expect((await heir.commit(input, signal)).record).toEqual(record);
  await heir.stop();
  const stored = await readBack(store, CLUSTER, ref, 'main');
  expect(stored.bytes.toString().trimEnd().split('\n')).toHaveLength(200);
});
