/** The results bucket in a real store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { S3ResultsStore } from '../../operator/results/store.ts';
import { MAX_LOG_INDEX } from '../../workers/contract/manifests.ts';
import type { S3Client } from '../../workers/s3/client.ts';
import { clientOf } from '../support/copybed.ts';
import { startGateway, type Gateway } from '../support/versitygw.ts';

const bucket = 'results';
const signal = new AbortController().signal;
let gateway: Gateway;
let client: S3Client;
let store: S3ResultsStore;

beforeAll(async () => {
  gateway = await startGateway();
  await gateway.createBucket(bucket);
  client = clientOf(gateway);
  store = new S3ResultsStore({ client, bucket, grantSeconds: 60 });
}, 600_000);
afterAll(async () => {
  await client?.close();
  await gateway?.stop();
});

describe('a document that a pod wrote is read up to a limit', () => {
  test.each([
    ['shorter', 10, 10],
    ['just as long', 100, 100],
    ['longer', 300, 100],
    ['empty', 0, 0],
  ])('%s', async (name, written, read) => {
    await store.put(name, Buffer.alloc(written, 'x'), { signal });
    expect((await store.get(name, { signal, limit: 100 }))?.length).toBe(read);
    expect((await store.get(name, { signal }))?.length).toBe(written);
  });

  test('the index of a log may be larger than what is usually read whole', async () => {
    const index = Buffer.alloc(33 * 1024 * 1024, 'x');
    await store.put('logs.json', index, { signal });
    expect((await store.get('logs.json', { signal, limit: MAX_LOG_INDEX }))?.equals(index)).toBe(true);
  });

  test('one that is not there is not there', async () => {
    expect(await store.get('none', { signal, limit: 100 })).toBeUndefined();
  });
});
