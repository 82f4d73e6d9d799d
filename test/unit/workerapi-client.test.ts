import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WorkerApi } from '../../workers/api/client.ts';
import { WorkerApiError } from '../../workers/api/errors.ts';
import { waitBefore } from '../../workers/api/retry.ts';
import { ROUTES, type PutGrant } from '../../workers/contract/workerapi.ts';
import { issueCertificate, makeAuthority } from '../cluster/certificates.ts';
import { WorkerApiDouble, type Fault } from '../support/workerapi-double.ts';

const signal = new AbortController().signal;
let double: WorkerApiDouble;
let folder = '';
let tokenFile = '';
let api: WorkerApi;

beforeEach(async () => {
  double = await WorkerApiDouble.start();
  folder = await mkdtemp(join(tmpdir(), 'ebbflow-api-'));
  tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'first\n');
  api = new WorkerApi({ url: double.url, tokenFile });
});
afterEach(async () => {
  await api.close();
  await double.stop();
  await rm(folder, { recursive: true, force: true });
});

async function grantFor(key: string): Promise<PutGrant> {
  const { put } = await api.grants({ put: [key] }, signal);
  const [grant] = put;
  if (grant === undefined) throw new Error('no grant');
  return grant;
}

async function failure(promise: Promise<unknown>): Promise<WorkerApiError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof WorkerApiError) return error;
    throw error;
  }
  throw new Error('did not fail');
}

describe('client of the worker API', () => {
  test('reads the token afresh for every call', async () => {
    await api.commit(signal);
    await writeFile(tokenFile, 'second\n');
    await api.commit(signal);
    expect(double.seen.map(({ token }) => token)).toEqual(['first', 'second']);
  });

  test.each<[string, Fault[]]>([
    ['500', [{ status: 500 }]],
    ['503 and 429', [{ status: 503 }, { status: 429 }]],
    ['broken connections', ['reset', 'reset']],
    ['an answer that is no JSON', [{ status: 200, body: '<html>' }]],
    ['a token that is not known yet', [{ status: 401 }]],
  ])('tries again after %s', async (_, faults) => {
    double.faults.set(ROUTES.commit, [...faults]);
    expect(await api.commit(signal)).toEqual({ admitted: true });
    expect(double.count(ROUTES.commit)).toBe(faults.length + 1);
  });

  test.each([400, 403, 404])('takes %i as a refusal, with its code and words', async (status) => {
    const body = JSON.stringify({ code: 'Fenced', message: 'This pod was given up.' });
    double.faults.set(ROUTES.commit, [{ status, body }]);
    const error = await failure(api.commit(signal));
    expect(error).toMatchObject({ code: 'Refused', status, refusal: 'Fenced', retryable: false });
    expect(error.message).toContain('This pod was given up.');
    expect(double.count(ROUTES.commit)).toBe(1);
  });

  test('gives up when its patience is used up, and at once without any', async () => {
    double.operatorDown = true;
    expect(await failure(api.commit(signal, { patience: 500 }))).toMatchObject({ code: 'ConnectionFailed' });
    const tries = double.count(ROUTES.commit);
    expect(tries).toBeGreaterThan(1);
    await failure(api.progress({ done: 1, total: 2, unit: 'files' }, signal));
    expect(double.count(ROUTES.progress)).toBe(1);
  });

  test('stops at once when it is aborted', async () => {
    double.faults.set(ROUTES.commit, ['hang']);
    const stop = new AbortController();
    const pending = api.commit(stop.signal);
    while (double.count(ROUTES.commit) === 0) await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error('enough'));
    await expect(pending).rejects.toThrow('enough');
  });

  test('writes once through a grant and says when something was there', async () => {
    const grant = await grantFor('train/0/x/worker.json');
    expect(await api.put(grant, Buffer.from('{}'), signal)).toBe('stored');
    expect(await api.put(grant, Buffer.from('{"other":1}'), signal)).toBe('exists');
    expect(double.json('train/0/x/worker.json')).toEqual({});
  });

  test('an answer that got lost is a write that exists', async () => {
    const grant = await grantFor('k');
    double.faults.set('PUT', [{ status: 409 }, 'reset', { status: 503 }]);
    expect(await api.put(grant, Buffer.from('1'), signal)).toBe('stored');
    expect(double.count('PUT')).toBe(4);
  });

  test('an expired grant is named as such, and no error holds a URL', async () => {
    double.grantLife = -1;
    const grant = await grantFor('k');
    const error = await failure(api.put(grant, Buffer.from('1'), signal));
    expect(error).toMatchObject({ code: 'GrantRefused', status: 403, refusal: 'AccessDenied' });
    expect(`${error.message} ${error.stack}`).not.toContain('signature');
    await double.stop();
    const broken = await failure(api.put(grant, Buffer.from('1'), signal, { patience: 0 }));
    expect(`${broken.message} ${broken.stack}`).not.toContain('signature');
  });

  test('a store that refuses is not an operator that refuses', async () => {
    const grant = await grantFor('k');
    double.faults.set('PUT', [{ status: 404, body: '<Error><Code>NoSuchBucket</Code></Error>' }]);
    const error = await failure(api.put(grant, Buffer.from('1'), signal));
    expect(error).toMatchObject({ code: 'StoreRefused', refusal: 'NoSuchBucket', retryable: false });
  });

  test('reads through a grant, and knows what is not there', async () => {
    double.objects.set('train/0/x/outputs.json', Buffer.from('[]'));
    const { existing, get } = await api.grants({ list: ['train'], get: ['train/none'] }, signal);
    expect(existing.map(({ key }) => key)).toEqual(['train/0/x/outputs.json']);
    const [there] = existing;
    const [none] = get;
    if (there === undefined || none === undefined) throw new Error('no grant');
    expect((await api.get(there, signal))?.toString()).toBe('[]');
    expect(await api.get(none, signal)).toBeUndefined();
  });

  test('sends its token over https, or to loopback, and nowhere else', () => {
    expect(() => new WorkerApi({ url: 'http://10.0.0.1:9443', tokenFile })).toThrow('must be https');
  });

  test('waits longer from try to try, and never shorter than it is asked to', () => {
    const low = [1, 2, 3, 20].map((attempt) => waitBefore(attempt, undefined, () => 0));
    const high = [1, 2, 3, 20].map((attempt) => waitBefore(attempt, undefined, () => 1));
    expect(low).toEqual([200, 400, 800, 7_500]);
    expect(high).toEqual([400, 800, 1_600, 15_000]);
  });

  test('many that are asked to wait equally long do not come back at once', () => {
    const waits = [0, 0.5, 1].map((random) => waitBefore(3, 1_000, () => random));
    expect(waits).toEqual([1_000, 1_400, 1_800]);
  });
});

describe('TLS of the worker API', () => {
  const serverName = 'ebbflow-operator.ebbflow.svc';
  const authority = makeAuthority();
  const issued = issueCertificate(authority, { commonName: 'operator', hosts: [serverName] });
  let secure: WorkerApiDouble;

  beforeEach(async () => {
    secure = await WorkerApiDouble.start({ key: issued.key, cert: issued.certificate });
  });
  afterEach(() => secure.stop());

  async function commitWith(options: { ca?: string; serverName?: string }): Promise<unknown> {
    const client = new WorkerApi({ url: secure.url, tokenFile, ...options });
    try {
      return await client.commit(signal, { patience: 0 });
    } finally {
      await client.close();
    }
  }

  test('the certificate is for a name, the URL has an address', async () => {
    expect(await commitWith({ ca: authority.certificate, serverName })).toEqual({ admitted: true });
  });

  test('no token goes to a server of another CA or of another name', async () => {
    const foreign = makeAuthority().certificate;
    expect((await failure(commitWith({ ca: foreign, serverName }))).code).toBe('ConnectionFailed');
    expect((await failure(commitWith({ serverName }))).code).toBe('ConnectionFailed');
    const ca = authority.certificate;
    expect((await failure(commitWith({ ca, serverName: 'other.svc' }))).code).toBe('ConnectionFailed');
    expect(secure.seen).toEqual([]);
  });
});
