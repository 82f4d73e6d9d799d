import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { blameObject } from '../../workers/copy/blame.ts';
import { endOfError } from '../../workers/copy/ending.ts';
import { resolveJob } from '../../workers/copy/job.ts';
import { enableLinearExpressions } from '../../workers/copy/linear.ts';
import { explainStoreError, PlanProblems } from '../../workers/copy/problems.ts';
import { ambientCredentials } from '../../workers/s3/ambient.ts';
import { S3Client } from '../../workers/s3/client.ts';
import { CredentialsError, keepFresh } from '../../workers/s3/credentials.ts';
import { mountedCredentials, readCa } from '../../workers/s3/mounted.ts';
import type { Credentials } from '../../workers/s3/sign.ts';

const never = new AbortController().signal;

describe('credentials', () => {
  test('come from files, are read again after a while, and lack nothing silently', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ebbflow-credentials-'));
    let now = 0;
    const source = mountedCredentials(folder, () => now);
    await expect(source(never)).rejects.toThrow('has no AWS_ACCESS_KEY_ID');
    await writeFile(join(folder, 'AWS_ACCESS_KEY_ID'), 'one\n');
    await expect(source(never)).rejects.toThrow('has no AWS_SECRET_ACCESS_KEY');
    await writeFile(join(folder, 'AWS_SECRET_ACCESS_KEY'), 'secret\n');
    expect(await source(never)).toEqual({
      accessKeyId: 'one',
      secretAccessKey: 'secret',
      sessionToken: undefined,
    });
    await writeFile(join(folder, 'AWS_ACCESS_KEY_ID'), 'two');
    expect((await source(never)).accessKeyId).toBe('one');
    now += 10_000;
    expect((await source(never)).accessKeyId).toBe('two');
    expect(await readCa(folder)).toBeUndefined();
    await writeFile(join(folder, 'ca.crt'), 'PEM\n');
    expect(await readCa(folder)).toBe('PEM');
    await rm(folder, { recursive: true });
  });

  test('are of one Secret, also while the kubelet puts another in its place', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ebbflow-credentials-'));
    const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
    const put = async (version: string): Promise<void> => {
      await mkdir(join(folder, version));
      for (const name of names) await writeFile(join(folder, version, name), version);
    };
    const show = async (version: string): Promise<void> => {
      await symlink(version, join(folder, '..new'));
      await rename(join(folder, '..new'), join(folder, '..data'));
    };
    for (const name of names) await symlink(join('..data', name), join(folder, name));
    await put('..1');
    await show('..1');
    // A file that is read only as long as the test has not written it.
    const slow = join(folder, '..1', 'AWS_ACCESS_KEY_ID');
    await rm(slow);
    execFileSync('mkfifo', [slow]);
    const reading = mountedCredentials(folder)(never);
    const file = await open(slow, 'w');
    await put('..2');
    await show('..2');
    await file.write('..1');
    await file.close();
    expect(await reading).toMatchObject({ accessKeyId: '..2', secretAccessKey: '..2' });
    // As a reader sees it who looks at one link before the change and at the other one after it.
    await rm(join(folder, 'AWS_SECRET_ACCESS_KEY'));
    await symlink(join('..1', 'AWS_SECRET_ACCESS_KEY'), join(folder, 'AWS_SECRET_ACCESS_KEY'));
    expect(await mountedCredentials(folder)(never)).toMatchObject({
      accessKeyId: '..2',
      secretAccessKey: '..2',
    });
    await rm(folder, { recursive: true });
  });

  test('come from the environment where it has them', async () => {
    const source = ambientCredentials({
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
      AWS_SESSION_TOKEN: 'c',
    });
    expect(await source(never)).toEqual({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' });
  });
});

describe('credentials that expire', () => {
  const minute = 60_000;
  let now: number;
  let given: PromiseWithResolvers<Credentials>[];
  /** One hour from when they are given. */
  const give = (accessKeyId: string): void =>
    given.at(-1)?.resolve({ accessKeyId, secretAccessKey: 's', expiration: new Date(now + 60 * minute) });
  const fetch = (): Promise<Credentials> => {
    const next = Promise.withResolvers<Credentials>();
    given.push(next);
    return next.promise;
  };
  const openSource = (patience?: number) =>
    keepFresh(fetch, { now: () => now, ...(patience !== undefined && { patience }) });
  const keyOf = async (credentials: Promise<Credentials>): Promise<string> => (await credentials).accessKeyId;

  beforeEach(() => {
    now = Date.UTC(2026, 0, 1);
    given = [];
  });

  test('are fetched once for all who wait, and anew before they expire, for which nobody waits', async () => {
    const source = openSource();
    const both = [keyOf(source(never)), keyOf(source(never))];
    give('one');
    expect(await Promise.all(both)).toEqual(['one', 'one']);
    now += 54 * minute;
    expect(await keyOf(source(never))).toBe('one');
    expect(given).toHaveLength(1);
    now += 2 * minute;
    expect(await keyOf(source(never))).toBe('one');
    expect(await keyOf(source(never))).toBe('one');
    expect(given).toHaveLength(2);
    give('two');
    await given[1]?.promise;
    now += 5 * minute;
    expect(await keyOf(source(never))).toBe('two');
  });

  test('count until they have expired where there are no others, which are asked for now and then', async () => {
    const source = openSource();
    const first = source(never);
    give('one');
    await first;
    now += 56 * minute;
    for (let times = 2; times < 5; times += 1) {
      expect(await keyOf(source(never))).toBe('one');
      expect(given).toHaveLength(times);
      given.at(-1)?.reject(new CredentialsError('the provider is away'));
      await expect(given.at(-1)?.promise).rejects.toThrow('is away');
      expect(await keyOf(source(never))).toBe('one');
      expect(given).toHaveLength(times);
      now += 10_000;
    }
    now += 4 * minute;
    const expired = source(never);
    given.at(-1)?.reject(new CredentialsError('the provider is still away'));
    await expect(expired).rejects.toThrow('still away');
    const again = source(never);
    give('two');
    expect(await keyOf(again)).toBe('two');
  });

  test('are not waited for without end, nor by who was told to stop', async () => {
    await expect(openSource(5)(never)).rejects.toThrow('no credentials came within 0.005 s');
    const abort = new AbortController();
    const source = openSource();
    const stopped = source(abort.signal);
    const patient = source(never);
    abort.abort(new Error('told to stop'));
    await expect(stopped).rejects.toThrow('told to stop');
    give('one');
    expect(await keyOf(patient)).toBe('one');
  });
});

describe('a copy whose credentials are not to be had', () => {
  enableLinearExpressions();
  const problems = new PlanProblems();
  const place = { store: 'lake', bucket: 'b' };
  const job = resolveJob({ source: place, destination: place }, problems);
  const clients: S3Client[] = [];
  afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())));

  test('is tried again by another pod', () => {
    expect(endOfError(new CredentialsError('none'), undefined)).toMatchObject({
      exitCode: EXIT.unavailable,
      reason: 'StoreUnavailable',
    });
  });

  test('is refused by its plan only where there were never any and nobody was slow to give them', async () => {
    let answer = Promise.withResolvers<Credentials>();
    let now = 0;
    const fetch = (): Promise<Credentials> => answer.promise;
    const source = keepFresh(fetch, { now: () => now, patience: 5 });
    const end = async (): Promise<unknown> => {
      const error: unknown = await source(never).catch((thrown: unknown) => thrown);
      const role = { field: 'source', store: 'lake', endpoint: 'http://lake', bucket: 'b' };
      return endOfError(explainStoreError(error, role), undefined);
    };
    expect(await end()).toMatchObject({ exitCode: EXIT.unavailable, reason: 'StoreUnavailable' });
    answer = Promise.withResolvers();
    answer.reject(new CredentialsError('none'));
    expect(await end()).toMatchObject({ exitCode: EXIT.planRefused, reason: 'StoreUnavailable' });
    answer = Promise.withResolvers();
    answer.resolve({ accessKeyId: 'a', secretAccessKey: 's', expiration: new Date(60_000) });
    await source(never);
    now = 60_000;
    answer = Promise.withResolvers();
    answer.reject(new CredentialsError('none'));
    expect(await end()).toMatchObject({
      exitCode: EXIT.unavailable,
      message: 'store lake: none',
    });
  });

  test('blames no object', async () => {
    const missing = async (): Promise<never> => {
      throw new CredentialsError('none');
    };
    const client = new S3Client({ endpoint: 'http://127.0.0.1:9', credentials: missing });
    clients.push(client);
    const end = { client, bucket: 'b' };
    const blamed = blameObject(new Error('x'), { job, ends: { source: end, destination: end } }, never);
    await expect(blamed).rejects.toThrow(CredentialsError);
  });
});
