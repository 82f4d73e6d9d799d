import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { S3Client } from '../../workers/s3/client.ts';
import { clientOf, contents, listAll, seed } from '../support/copybed.ts';
import { EXPECTED, OBJECTS, provideBuckets, RULE } from '../support/copyworld.ts';
import { CopyCommand, type Said } from '../support/copycommand.ts';
import {
  isProbe,
  operationOf,
  startProxy,
  type Fault,
  type PassingRequest,
  type S3Proxy,
} from '../support/s3proxy.ts';
import { startGateway, type Gateway } from '../support/versitygw.ts';

// Every call is a process of its own, and some tests make several.
vi.setConfig({ testTimeout: 180_000 });

let gateway: Gateway;
let client: S3Client;
let proxy: S3Proxy;
let command: CopyCommand;
let from = '';
let to = '';

const buckets = provideBuckets(startGateway, async (server) => {
  client = clientOf(server);
});
afterAll(() => client.close());
beforeEach(async () => {
  ({ server: gateway, from, to } = buckets);
  proxy = await startProxy(gateway.endpoint);
  command = await CopyCommand.create(gateway, proxy.endpoint);
});
afterEach(async () => {
  await proxy.stop();
  await command.remove();
});

/** The command line of the copy that most tests make; a slow machine would show progress. */
function words(...extra: string[]): string[] {
  const rule = ['--match', RULE.match, '--replace', RULE.replace];
  return [`s3://${from}/in/`, `s3://${to}/out/`, ...rule, '--quiet', ...extra];
}

function report({ stdout }: Said): Record<string, unknown> & { copy?: Record<string, number> } {
  return JSON.parse(stdout);
}

function copies(): string[] {
  return proxy.seen.filter(isCopy).map(({ url }) => decodeURIComponent(url.slice(`/${to}/`.length)));
}

function isCopy(request: PassingRequest): boolean {
  return operationOf(request) === 'CopyObject' && !isProbe(request);
}

test('copies and renames, says so in words and in JSON, and plans anew when it is run again', async () => {
  await seed(client, from, OBJECTS);
  const first = await command.run(words());
  expect(first.stderr).toBe('');
  expect(first.stdout).toMatch(/^Copied 300 of 300 objects, 3\.1 KiB, in [\d.]+s: 300 renamed\.\n/);
  expect(first.stdout).toContain(`Plan and ledger: ${command.home}/.local/state/ebbflow/copy/${from}-${to}-`);
  expect(first.code).toBe(0);
  expect(await contents(client, to)).toEqual(EXPECTED);

  const again = await command.run(words('--json'));
  expect(again.code).toBe(0);
  expect(report(again)).toMatchObject({
    version: 1,
    result: 'Copied',
    exitCode: 0,
    source: `s3://${from}/in/`,
    destination: `s3://${to}/out/`,
    dryRun: false,
    resumed: false,
    state: expect.stringContaining(command.home),
    seconds: expect.any(Number),
    plan: {
      listed: 300,
      rows: 300,
      toCopy: 0,
      skipped: 300,
      renamed: 300,
      bytes: 0,
      keyEquivalence: 'Posix',
    },
    copy: { planned: 300, copied: 0, renamed: 0, skipped: 300, unchanged: 0, moved: 0, failed: 0, bytes: 0 },
  });
  expect(copies()).toHaveLength(300);
});

test('--dry-run and plan write nothing: not to the stores, and not to this machine', async () => {
  await seed(client, from, OBJECTS);
  for (const args of [words('--dry-run'), ['plan', ...words()]]) {
    const { code, stdout, stderr } = await command.run(args);
    expect(stderr).toBe('');
    expect(stdout).toContain('to copy       300 objects, 3.1 KiB');
    expect(stdout).toContain('"in/d0/k0"  ->  "out/0-d0"');
    expect(stdout).toContain('requests      2 LIST, 300 COPY\n');
    expect(code).toBe(0);
  }
  expect(new Set(proxy.seen.map(({ method }) => method))).toEqual(new Set(['GET']));
  expect(await readdir(command.home)).toEqual([]);
  const json = report(await command.run(words('--dry-run', '--json')));
  expect(json).toMatchObject({ result: 'Planned', dryRun: true, plan: { toCopy: 300 } });
  expect(json['report']).toMatchObject({ renamed: 300, requests: { copy: 300 }, problems: { total: 0 } });
  expect(json['state']).toBeUndefined();
  expect(json['copy']).toBeUndefined();
});

test('a plan with problems is refused, each named, in the words of the command line', async () => {
  await seed(client, from, OBJECTS);
  const rule = ['--match', '^(?<d>d\\d)/', '--replace', '{d}'];
  const refused = await command.run([`s3://${from}/in/`, `s3://${to}/`, ...rule]);
  expect(refused.code).toBe(10);
  expect(refused.stdout).toBe('');
  expect(refused.stderr).toMatch(/the plan has 295 problems, and nothing was written; the first 10:\n/);
  expect(refused.stderr).toContain('"in/d0/k0" and "in/d0/k10" would both become "d0"');

  await seed(client, to, [['out/0-d0', 'other']]);
  const different = await command.run(words());
  expect(different.code).toBe(10);
  expect(different.stderr).toContain('delete it, or set --on-existing overwrite');
  expect(different.stderr).not.toMatch(/copy\.\w/);
  const dry = await command.run(words('--dry-run'));
  expect(dry.code).toBe(10);
  expect(dry.stdout).toContain('listed        300 objects');
  expect(dry.stdout).not.toContain('No collisions');
  expect(dry.stderr).toBe(different.stderr);
  expect(copies()).toEqual([]);
  expect((await command.run(words('--on-existing', 'overwrite'))).code).toBe(0);
  expect(await contents(client, to)).toEqual(EXPECTED);
});

test('--key-list takes the keys from an object', async () => {
  await seed(client, from, [...OBJECTS, ['lists/some', 'in/d0/k0\nin/d1/k1\n']]);
  const list = (key: string) => words('--key-list', `s3://${from}/${key}`, '--json');
  expect(report(await command.run(list('lists/some')))).toMatchObject({
    result: 'Copied',
    copy: { copied: 2 },
  });
  expect([...(await contents(client, to)).keys()].toSorted()).toEqual(['out/0-d0', 'out/1-d1']);
  const missing = await command.run(list('lists/none'));
  expect(missing.code).toBe(10);
  expect(missing.stderr).toContain(
    `the key list "lists/none" does not exist in bucket ${from}: correct --key-list`,
  );
});

test('--move deletes the sources, and --max-failures lets some fail', async () => {
  await seed(client, from, OBJECTS);
  const gone = '<Error><Code>InvalidRequest</Code><Message>not today</Message></Error>';
  const fail = (request: PassingRequest): Fault =>
    isCopy(request) && request.url.endsWith('/7-d2') ? { status: 400, body: gone } : 'pass';
  proxy.onRequest = fail;
  const failed = await command.run(words('--move', '--json'));
  expect(failed.code).toBe(11);
  expect(report(failed)).toMatchObject({ result: 'Failed', copy: { copied: 299, failed: 1, moved: 299 } });
  expect(failed.stderr).toContain(
    '1 of 300 objects failed, more than --max-failures 0:\n  "in/d2/k7": InvalidRequest',
  );
  const allowed = await command.run(words('--move', '--max-failures', '1', '--json'));
  expect(allowed.code).toBe(0);
  expect(report(allowed)).toMatchObject({ result: 'CopiedWithFailures', copy: { planned: 1, failed: 1 } });
  proxy.onRequest = () => 'pass';
  expect((await command.run(words('--move'))).code).toBe(0);
  expect(await contents(client, to)).toEqual(EXPECTED);
  expect(await listAll(client, from)).toEqual([]);
});

describe('a call that did not come to its end', () => {
  /** Starts a call and does something to it once the store has seen so many copies. */
  async function interruptAfter(count: number, act: (kill: (signal: NodeJS.Signals) => void) => void) {
    const running = command.start(words('--json'));
    let acted = false;
    const start = copies().length;
    proxy.onRequest = () => {
      if (!acted && copies().length - start >= count) {
        acted = true;
        act((signal) => running.child.kill(signal));
      }
      return 'pass';
    };
    const end = await running.end;
    proxy.onRequest = () => 'pass';
    expect(acted).toBe(true);
    return end;
  }

  test('kill -9: the same command goes on and says so; the bytes are the same', async () => {
    await seed(client, from, OBJECTS);
    const killed = await interruptAfter(100, (kill) => kill('SIGKILL'));
    expect(killed).toMatchObject({ code: null, stdout: '' });
    const resumed = await command.run(words('--json'));
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).toMatch(
      /^Going on with the copy that was planned at .* \(--new would plan anew\)\.\n$/,
    );
    expect(report(resumed)).toMatchObject({
      result: 'Copied',
      resumed: true,
      copy: { copied: 300, failed: 0 },
    });
    expect(await contents(client, to)).toEqual(EXPECTED);
    // What was done at the kill was found done, but for what was under way.
    expect(copies().length).toBeLessThanOrEqual(300 + 32);
    expect(report(await command.run(words('--json')))).toMatchObject({ resumed: false });
  });

  test('Ctrl-C: what is under way is recorded, and the same command goes on from there', async () => {
    await seed(client, from, OBJECTS);
    const stopped = await interruptAfter(100, (kill) => kill('SIGINT'));
    expect(stopped.code).toBe(130);
    const stop = report(stopped);
    expect(stop).toMatchObject({ result: 'Interrupted', exitCode: 130, resumed: false });
    expect(stop['message']).toMatch(
      /^stopped after \d+ of 300 objects; the same command goes on from there$/,
    );
    expect(stop.copy?.['copied']).toBe(copies().length);
    const resumed = await command.run(words('--json'));
    expect(report(resumed)).toMatchObject({ result: 'Copied', resumed: true, copy: { copied: 300 } });
    expect(copies()).toHaveLength(300);
    expect(await contents(client, to)).toEqual(EXPECTED);
  });

  test('--new leaves the unfinished plan alone', async () => {
    await seed(client, from, OBJECTS);
    await interruptAfter(100, (kill) => kill('SIGTERM'));
    await seed(client, from, [['in/d9/k999', 'late']]);
    const anew = report(await command.run(words('--json', '--new')));
    expect(anew).toMatchObject({ result: 'Copied', resumed: false, plan: { rows: 301 } });
    expect(await contents(client, to)).toEqual(new Map([...EXPECTED, ['out/999-d9', 'late']]));
  });

  test('a second Ctrl-C ends at once, although the store holds answers back', async () => {
    await seed(client, from, OBJECTS);
    const running = command.start(words());
    const released = new AbortController();
    const held = new Promise<Fault>((resolve) => {
      released.signal.addEventListener('abort', () => resolve('reset'));
    });
    proxy.onRequest = (request) => (isCopy(request) ? held : 'pass');
    const reached = async (): Promise<void> => {
      while (copies().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await reached();
    running.child.kill('SIGINT');
    await new Promise<void>((resolve) => running.child.stderr?.once('data', () => resolve()));
    // At once it would be the same Ctrl-C, which a terminal and npm both pass on.
    const pressing = setInterval(() => running.child.kill('SIGINT'), 100);
    const { code, stderr } = await running.end.finally(() => clearInterval(pressing));
    released.abort();
    expect(code).toBe(130);
    expect(stderr).toBe(
      'Stopping: what is under way is finished and recorded. Ctrl-C again stops at once.\n',
    );
  });
});

test('two calls of one copy at a time: the second is told', async () => {
  await seed(client, from, OBJECTS);
  let second: Promise<Said> | undefined;
  proxy.onRequest = async (request): Promise<Fault> => {
    if (isCopy(request)) await (second ??= command.run(words()));
    return 'pass';
  };
  expect((await command.run(words())).code).toBe(0);
  const busy = await second;
  expect(busy?.code).toBe(1);
  expect(busy?.stderr).toMatch(/process \d+ on .* works on this very copy, in .*; wait for it/);
});

test('two stores: objects are streamed from one to the other', async () => {
  const other = await startGateway();
  const destination = clientOf(other);
  try {
    await other.createBucket(to);
    await seed(client, from, OBJECTS);
    const stores = ['--source-endpoint', gateway.endpoint, '--destination-endpoint', other.endpoint];
    const { code, stdout, stderr } = await command.run(words(...stores, '--json'));
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(report({ code, stdout, stderr })).toMatchObject({
      plan: { transfer: 'Stream' },
      copy: { copied: 300 },
    });
    expect(await contents(destination, to)).toEqual(EXPECTED);
    expect(await listAll(client, to)).toEqual([]);
  } finally {
    await destination.close();
    await other.stop();
  }
});

test('a profile of ~/.aws gives the credentials, and a state directory belongs to one copy', async () => {
  await seed(client, from, OBJECTS);
  await mkdir(join(command.home, '.aws'));
  const { accessKeyId, secretAccessKey } = gateway;
  const profile = `[lake]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
  await writeFile(join(command.home, '.aws', 'credentials'), profile);
  const wrong = { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'nothing' };
  const state = ['--state', join(command.home, 'here')];
  const { code, stderr } = await command.run(words('--profile', 'lake', ...state), wrong);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const refused = await command.run(words(...state));
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('keeps the state of another copy');
  const unknown = await command.run(words('--profile', 'nope'), wrong);
  expect(unknown.stderr).toContain('profile "nope" of ~/.aws gives no credentials');
  expect(unknown.code).toBe(10);
});

describe('--verify', () => {
  test('checksum: every copy is compared by a checksum that the store has of both sides', async () => {
    await seed(client, from, OBJECTS);
    const { copy } = report(await command.run(words('--verify', 'checksum', '--json')));
    expect(copy).toMatchObject({ copied: 300, verified: 300, reread: 0, failed: 0 });
    expect(proxy.seen.filter((request) => operationOf(request) === 'GetObject')).toEqual([]);
  });

  test('sample: the share is read again, and a copy with other bytes fails, although its ETag is right', async () => {
    await seed(client, from, OBJECTS);
    const some = report(await command.run(words('--verify', 'sample', '--sample-percent', '10', '--json')));
    const { verified = 0 } = some.copy ?? {};
    expect(some.copy).toMatchObject({ copied: 300, failed: 0, reread: verified });
    expect(verified).toBeGreaterThan(10);
    expect(verified).toBeLessThan(60);

    // The store's disk turns a bit in one copy before it is read again.
    const rotten = join(gateway.root, to, 'again', '7-d2');
    proxy.onRequest = async (request): Promise<Fault> => {
      if (request.method === 'GET' && request.url === `/${to}/again/7-d2`)
        await writeFile(rotten, 'Content 7');
      return 'pass';
    };
    const [, , ...rest] = words('--verify', 'sample', '--sample-percent', '100', '--move', '--json');
    const ended = await command.run([`s3://${from}/in/`, `s3://${to}/again/`, ...rest]);
    expect(ended.code).toBe(11);
    expect(report(ended).copy).toMatchObject({ copied: 299, verified: 299, failed: 1, moved: 299 });
    expect((await listAll(client, from)).map(({ key }) => key)).toEqual(['in/d2/k7']);
    expect(ended.stderr).toContain(
      '"in/d2/k7": ContentMismatch: the copy does not have the bytes of its source',
    );
  });
});
