import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../operator/kube/clock.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { createResultsApi } from '../../operator/results/api/server.ts';
import type { S3Client } from '../../workers/s3/client.ts';
import { deleteObject, putObject } from '../../workers/s3/objects.ts';
import { clientOf, patientSignal as signal, seed } from '../support/copybed.ts';
import { provideBuckets } from '../support/copyworld.ts';
import { CopyCommand, type Said } from '../support/copycommand.ts';
import { uid } from '../support/results/fakepods.ts';
import { MemoryStore } from '../support/results/memorystore.ts';
import { createService, decidedRun } from '../support/results/runs.ts';
import { startGateway, type Gateway } from '../support/versitygw.ts';

// Every call is a process of its own, and each test makes several.
vi.setConfig({ testTimeout: 180_000 });

let gateway: Gateway;
let client: S3Client;
let command: CopyCommand;
let from = '';
let to = '';

const objects = Array.from({ length: 40 }, (_, n) => [`in/k${n}`, `content ${n}`] as const);

const buckets = provideBuckets(startGateway, async (server) => {
  client = clientOf(server);
});
afterAll(() => client.close());
beforeEach(async () => {
  ({ server: gateway, from, to } = buckets);
  command = await CopyCommand.create(gateway, gateway.endpoint);
  await seed(client, from, objects);
});
afterEach(async () => command.remove());

/** Copies and returns the directory that a user is told to look into. */
async function copy(...extra: string[]): Promise<string> {
  const ended = await command.run([`s3://${from}/in/`, `s3://${to}/out/`, '--json', '--quiet', ...extra]);
  expect(ended.code).toBe(0);
  const { state } = JSON.parse(ended.stdout);
  return String(state);
}

function report({ stdout }: Said) {
  const read: {
    result: string;
    exitCode: number;
    counts: Record<string, number>;
    differences: { key: string; why: string }[];
  } = JSON.parse(stdout);
  return read;
}

async function verify(target: string, ...extra: string[]) {
  return report(await command.run(['verify', target, '--json', ...extra]));
}

const levels = [
  ['--level', 'size'],
  ['--level', 'checksum'],
  ['--level', 'sample', '--percent', '100'],
];

test('every level finds a good copy good, in words and in JSON', async () => {
  const run = await copy();
  for (const level of levels) {
    expect(await verify(run, ...level)).toMatchObject({
      result: 'Same',
      exitCode: 0,
      counts: { planned: 40, checked: 40, same: 40, unproved: 0, different: 0, failed: 0, unrecorded: 0 },
      differences: [],
    });
  }
  const words = await command.run(['verify', join(run, '..'), '--quiet']);
  expect(words.stderr).toBe('');
  expect(words.stdout).toMatch(
    /^Checked 40 of 40 objects \(level size, [\d.]+s\): 40 as they were copied\.\n$/,
  );
});

test('what is gone, written anew or rotten is named; bytes that rot unseen are found only by reading', async () => {
  const run = await copy('--verify', 'checksum');
  await deleteObject(client, { bucket: to, key: 'out/k1' }, signal);
  await putObject(client, { bucket: to, key: 'out/k2', body: Buffer.from('content X') }, signal);
  await putObject(client, { bucket: to, key: 'out/k3', body: Buffer.from('longer than it was') }, signal);
  await writeFile(join(gateway.root, to, 'out/k4'), 'Content 4');
  const gone = { key: 'out/k1', why: 'it is gone' };
  const anew = { key: 'out/k2', why: expect.stringMatching(/^it has ETag [0-9a-f]{32} instead of /) };
  const longer = { key: 'out/k3', why: 'it has 18 bytes instead of 9' };
  const rotten = { key: 'out/k4', why: 'its bytes are others' };
  for (const [level, ...found] of [
    [levels[0], gone, anew, longer],
    [levels[1], gone, anew, longer],
    [levels[2], gone, anew, longer, rotten],
  ] as const) {
    const { result, exitCode, counts, differences } = await verify(run, ...(level ?? []));
    expect(differences.toSorted((a, b) => (a.key < b.key ? -1 : 1))).toEqual(found);
    expect({ result, exitCode }).toEqual({ result: 'Different', exitCode: 11 });
    expect(counts).toMatchObject({ checked: 40, different: found.length, same: 40 - found.length });
  }
  const words = await command.run(['verify', run]);
  expect(words.code).toBe(11);
  expect(words.stderr).toContain('3 of 40 objects are not as they were copied:\n');
  expect(words.stderr).toContain('  "out/k1": it is gone\n');
});

test('sources are not needed where the ledger or an MD5 sum tells the bytes', async () => {
  const run = await copy('--verify', 'sample', '--sample-percent', '100');
  await rm(join(gateway.root, from, 'in'), { recursive: true });
  expect(await verify(run, '--level', 'sample', '--percent', '100')).toMatchObject({
    result: 'Same',
    counts: { same: 40, unproved: 0 },
  });
});

test('a directory without a copy, and a store that is not there', async () => {
  const empty = await command.run(['verify', command.home]);
  expect(empty.code).toBe(1);
  expect(empty.stderr).toContain(`there is no plan of a copy in ${command.home}`);
  const run = await copy();
  const away = await command.run(['verify', run, '--endpoint', 'http://127.0.0.1:1', '--json']);
  expect(away.code).toBe(12);
  expect(report(away)).toMatchObject({ result: 'Unavailable', counts: { different: 0 } });
  expect(away.stderr).toContain("the destination's store http://127.0.0.1:1 cannot be reached");
});

test('a copy that ran in a cluster is checked through the operator', async () => {
  const run = await copy();
  const store = new MemoryStore();
  const prefix = `v1/test/team/${uid(1)}/`;
  for (const entry of await readdir(join(run, 'copy'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    store.objects.set(prefix + path.slice(run.length + 1), await readFile(path));
  }
  store.objects.set(`${prefix}copy/0/secret.json`, Buffer.from('not of the ledger'));
  const service = createService(store, () => {
    throw new Error('no pods here');
  });
  await service.start(signal);
  const decided = decidedRun({ uid: uid(1) });
  const [stage] = decided.spec.stages;
  if (stage === undefined) throw new Error('no stage');
  const stores = [{ name: 'store', endpoint: gateway.endpoint, region: 'us-east-1' }];
  const spec = { ...decided.spec, stores, stages: [{ ...stage, name: 'copy' }] };
  const figures = { attempts: [], nodes: { launched: 0, nodeSeconds: 0 }, discrepancies: [] };
  await service.commit({ run: { ...decided, spec }, ...figures }, signal);
  const api = createResultsApi({
    results: service,
    runs: { list: () => [] },
    clock: systemClock,
    logger: silentLogger,
  });
  const server = await api.listen({ host: '127.0.0.1', port: 0 });
  try {
    const env = { AWS_ENDPOINT_URL: undefined };
    const good = await command.run(['verify', uid(1), '--server', server, '--json', '--quiet'], env);
    expect(good.stderr).toBe('');
    expect(report(good)).toMatchObject({ result: 'Same', counts: { planned: 40, checked: 40, same: 40 } });
    const onwards = [`s3://${to}/out/`, `s3://${from}/onwards/`, '--endpoint', gateway.endpoint];
    const ledger = ['--ledger-of', uid(1), '--server', server, '--json', '--quiet'];
    const further = JSON.parse((await command.run([...onwards, ...ledger], env)).stdout);
    expect(further).toMatchObject({ result: 'Copied', copy: { planned: 40, copied: 40 } });
    await deleteObject(client, { bucket: to, key: 'out/k1' }, signal);
    const bad = await command.run(['verify', uid(1), '--server', server, '--stage', 'copy', '--json'], env);
    expect(report(bad)).toMatchObject({ result: 'Different', differences: [{ key: 'out/k1' }] });

    // The route gives nothing of the bucket but plans and ledgers.
    const list = await (await fetch(`${server}/v1/runs/${uid(1)}/copies/copy`)).text();
    expect(list.split('\n').filter((line) => !/"key":"copy\/(plan|ledger)\//.test(line))).toEqual(['']);
    for (const key of ['copy/0/secret.json', 'run.json', 'copy/plan/../../run.json', 'other/plan/0.zst']) {
      const url = `${server}/v1/runs/${uid(1)}/copies/copy/object?key=${encodeURIComponent(key)}`;
      expect((await fetch(url)).status).toBe(404);
    }
    const unknown = await command.run(['verify', uid(7), '--server', server], env);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('There is no such run.');
  } finally {
    await api.close();
    await service.stop();
  }
});
