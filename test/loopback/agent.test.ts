import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { outputsManifest } from '../../workers/contract/manifests.ts';
import { REFUSAL, ROUTES } from '../../workers/contract/workerapi.ts';
import type { S3Client } from '../../workers/s3/client.ts';
import { runAgent } from '../../workers/train/agent.ts';
import { clientOf, contents, empty } from '../support/copybed.ts';
import { provideShim } from '../support/shimbinary.ts';
import { TrainBed, type TrainBedOptions } from '../support/trainbed.ts';
import { startGateway, type Gateway } from '../support/versitygw.ts';

const bucket = 'agent-models';
let gateway: Gateway;
let client: S3Client;
let shim = '';
let bed: TrainBed;
let withOutput: TrainBedOptions;

beforeAll(async () => {
  shim = await provideShim();
  gateway = await startGateway();
  await gateway.createBucket(bucket);
  client = clientOf(gateway);
}, 600_000);
afterAll(async () => {
  await client?.close();
  await gateway?.stop();
});
beforeEach(async () => {
  bed = await TrainBed.create(shim, gateway);
  const location = { store: 'lake', bucket, prefix: 'digits/' };
  withOutput = { outputs: [{ directory: join(bed.folder, 'out'), location }] };
});
afterEach(async () => {
  await bed.stop();
  await empty(client, bucket);
});

describe('agent', () => {
  /** The exit record of a shim that is gone. */
  const record = (fields: object): Promise<void> =>
    writeFile(
      join(bed.folder, 'run/exit.json'),
      JSON.stringify({
        version: 1,
        started: true,
        startTime: '2026-01-01T00:00:00.000Z',
        endTime: '2026-01-01T00:00:01.000Z',
        ...fields,
      }),
    );

  test('stores the outputs after admission, their list after them, and worker.json and the report last', async () => {
    const ended = runAgent(bed.host(withOutput));
    bed.start('mkdir out/a; printf model > out/a/model.npz; printf "" > out/empty; exit 0');
    expect(await ended).toBe(EXIT.ok);
    expect(await contents(client, bucket)).toEqual(
      new Map([
        ['digits/a/model.npz', 'model'],
        ['digits/empty', ''],
      ]),
    );
    const list = outputsManifest.parse(bed.double.ending('/outputs.json'));
    expect(list.files.map(({ path, key, size }) => ({ path, key, size }))).toEqual([
      { path: 'a/model.npz', key: 'digits/a/model.npz', size: 5 },
      { path: 'empty', key: 'digits/empty', size: 0 },
    ]);
    expect(bed.manifest).toMatchObject({ exit: { code: 0, started: true }, outputs: { files: 2, bytes: 5 } });
    const order = bed.double.seen.map(({ route }) => route).filter((route) => route !== ROUTES.grants);
    expect(order).toEqual([ROUTES.commit, 'PUT', 'PUT', ROUTES.report]);
    expect(bed.double.seen[0]?.route).toBe(ROUTES.grants);
  });

  test('without outputs asks for no admission: its last word is enough', async () => {
    const ended = runAgent(bed.host({}));
    bed.start('exit 0');
    expect(await ended).toBe(EXIT.ok);
    const order = bed.double.seen.map(({ route }) => route).filter((route) => route !== ROUTES.grants);
    expect(order).toEqual(['PUT', ROUTES.report]);
    expect(bed.manifest, 'a success leaves no message').toMatchObject({ exit: { code: 0 } });
    expect(bed.manifest?.message).toBeUndefined();
  });

  test('sends large files in parts, byte for byte', async () => {
    const ended = runAgent(bed.host(withOutput));
    bed.start('head -c 33000000 /dev/urandom > out/large; sha256sum < out/large > out/sum');
    expect(await ended).toBe(EXIT.ok);
    const stored = await contents(client, bucket);
    const hash = createHash('sha256')
      .update(Buffer.from(stored.get('digits/large') ?? '', 'latin1'))
      .digest('hex');
    expect(stored.get('digits/sum')).toContain(hash);
  });

  test('a pod that is not admitted stores nothing', async () => {
    bed.double.commit = { admitted: false, message: 'pod x was admitted before' };
    const ended = runAgent(bed.host(withOutput));
    bed.start('echo 1 > out/model');
    expect(await ended).toBe(EXIT.notAdmitted);
    expect((await contents(client, bucket)).size).toBe(0);
    expect(bed.double.ending('/outputs.json')).toBeUndefined();
    expect(bed.manifest).toMatchObject({ reason: 'Error', exit: { code: 0 } });
    expect(bed.manifest?.message).toContain('pod x was admitted before');
  });

  test.each([
    ['exit 3', { code: 3, started: true }, 'the command ended with exit code 3'],
    ['kill -SEGV $$', { code: null, started: true, signal: 'SIGSEGV' }, 'the command was killed by SIGSEGV'],
  ])(
    'a command that fails (%s) is told with its end, and nothing of it is stored',
    async (script, exit, message) => {
      const ended = runAgent(bed.host(withOutput));
      bed.start(`echo 1 > out/model; ${script}`);
      expect(await ended).toBe(EXIT.commandFailed);
      expect(bed.manifest).toMatchObject({ exit, reason: 'Error', message });
      expect(await bed.termination()).toEqual({ reason: 'Error', message });
      expect(bed.double.count(ROUTES.commit)).toBe(0);
      expect((await contents(client, bucket)).size).toBe(0);
    },
  );

  test('a shim that is killed means a killed container', async () => {
    const ended = runAgent(bed.host(withOutput));
    const child = bed.start('sleep 0.5; exit 0');
    while (!bed.lines.some((line) => line['msg'] === 'the command has started')) await sleep(10);
    child.kill('SIGKILL');
    expect(await ended).toBe(EXIT.commandFailed);
    expect(bed.manifest).toMatchObject({ exit: { code: null, started: true }, reason: 'Error' });
  });

  test('an agent that comes after the end reads the record', async () => {
    await record({ code: 4 });
    expect(await runAgent(bed.host({}))).toBe(EXIT.commandFailed);
    expect(bed.manifest).toMatchObject({ exit: { code: 4 }, startTime: '2026-01-01T00:00:00.000Z' });
  });

  test('a command that failed after the kernel had killed a process of it lacked memory', async () => {
    await record({ code: 1, oomKills: 2 });
    expect(await runAgent(bed.host(withOutput))).toBe(EXIT.commandFailed);
    expect(bed.manifest).toMatchObject({ reason: 'OOMKilled', exit: { code: 1, oomKills: 2 } });
    expect(bed.manifest?.message).toContain('exit code 1; the kernel killed 2 processes for lack of memory');
    expect(await bed.termination()).toMatchObject({ reason: 'OOMKilled' });
  });

  test('a command that did without such a process succeeded', async () => {
    await record({ code: 0, oomKills: 1 });
    expect(await runAgent(bed.host(withOutput))).toBe(EXIT.ok);
    expect(bed.manifest).toMatchObject({ exit: { code: 0, oomKills: 1 } });
    expect(bed.manifest?.reason).toBeUndefined();
  });

  test('nonsense on the socket changes nothing', async () => {
    const ended = runAgent(bed.host({}));
    bed.start(`
      for text in 'not json' '{"type":"exit","exit":{"code":"zero"}}' '{"type":"exit"}'; do
        printf '%s\\n' "$text" | ${process.execPath} -e '
          const socket = require("net").connect("run/agent.sock", () => process.stdin.pipe(socket));'
      done; exit 11`);
    expect(await ended).toBe(EXIT.commandFailed);
    expect(bed.manifest).toMatchObject({ exit: { code: 11 } });
  });

  test('an operator that is away while the worker ends delays the outputs and loses nothing', async () => {
    const ended = runAgent(bed.host(withOutput));
    while (bed.double.count(ROUTES.grants) === 0) await sleep(5);
    bed.double.operatorDown = true;
    bed.start('echo 1 > out/model');
    while (bed.double.count(ROUTES.commit) < 2) await sleep(10);
    bed.double.operatorDown = false;
    expect(await ended).toBe(EXIT.ok);
    expect(bed.double.reports).toHaveLength(1);
  });

  test('a failed command leaves worker.json although the operator is away to the end', async () => {
    const ended = runAgent(bed.host({}, { report: 300 }));
    while (bed.double.count(ROUTES.grants) === 0) await sleep(5);
    await sleep(50);
    bed.double.operatorDown = true;
    bed.start('exit 3');
    expect(await ended).toBe(EXIT.commandFailed);
    expect(bed.manifest).toMatchObject({ exit: { code: 3 } });
    expect(bed.double.reports).toHaveLength(0);
  });

  test('grants that died are asked for again', async () => {
    bed.double.grantLife = 0.02;
    const ended = runAgent(bed.host({}));
    while (bed.double.count(ROUTES.grants) === 0) await sleep(5);
    await sleep(60);
    bed.double.grantLife = 900;
    bed.start('exit 3');
    expect(await ended).toBe(EXIT.commandFailed);
    expect(bed.manifest).toMatchObject({ exit: { code: 3 } });
  });

  const refuses = (status: number, code: string) => ({ status, body: `<Error><Code>${code}</Code></Error>` });

  test('a results store that refuses for a while does not cost the work that was done', async () => {
    const moment = [
      refuses(404, 'NoSuchBucket'),
      refuses(403, 'AccessDenied'),
      refuses(403, 'AccessDenied'),
      refuses(503, 'SlowDown'),
    ];
    bed.double.faults.set('PUT', moment);
    const ended = runAgent(bed.host({}));
    bed.start('exit 0');
    expect(await ended).toBe(EXIT.ok);
    expect(bed.manifest).toMatchObject({ exit: { code: 0 } });
    expect(bed.double.reports).toHaveLength(1);
  });

  test.each([
    [404, 'NoSuchBucket'],
    [403, 'AccessDenied'],
  ])('a results store that goes on refusing (%i) is said in one sentence', async (status, code) => {
    bed.double.faults.set(
      'PUT',
      Array.from({ length: 100 }, () => refuses(status, code)),
    );
    const times = { store: 60_000, lastWord: 1_500 };
    const begin = performance.now();
    const ended = runAgent(bed.host({}, times));
    bed.start('exit 0');
    expect(await ended).toBe(EXIT.unavailable);
    expect(performance.now() - begin, 'not as long as files are waited for').toBeLessThan(times.store / 2);
    expect(bed.double.count('PUT')).toBeGreaterThan(2);
    const said = await bed.termination();
    expect(said).toMatchObject({ reason: 'StoreUnavailable' });
    expect(JSON.stringify(said)).toMatch(new RegExp(`worker.json.*${code} .*look at the results bucket`));
  });

  test('after SIGTERM even exit code 0 is no success', async () => {
    const ended = runAgent(bed.host(withOutput));
    const child = bed.start(
      "trap 'echo saved > out/half; exit 0' TERM; echo > ready; while :; do sleep 0.02; done",
    );
    while (!bed.lines.some((line) => line['msg'] === 'the command has started')) await sleep(10);
    await sleep(100);
    bed.terminate();
    child.kill('SIGTERM');
    expect(await ended).toBe(EXIT.terminated);
    expect(bed.double.count(ROUTES.commit)).toBe(0);
    expect(bed.manifest?.message).toContain('ended by SIGTERM');
    expect(bed.manifest?.reason).toBeUndefined();
  });

  test('a command that ended well because it was told to is no success, although nobody told the agent yet', async () => {
    await record({ code: 0, terminated: true });
    expect(await runAgent(bed.host(withOutput))).toBe(EXIT.terminated);
    expect(bed.double.count(ROUTES.commit)).toBe(0);
    expect(bed.manifest?.message).toContain('ended by SIGTERM');
  });

  test('a command that had ended by itself before SIGTERM keeps its outputs', async () => {
    bed.double.operatorDown = true;
    const ended = runAgent(bed.host(withOutput));
    bed.start('echo 1 > out/model');
    while (bed.double.count(ROUTES.commit) === 0) await sleep(10);
    bed.terminate();
    bed.double.operatorDown = false;
    expect(await ended).toBe(EXIT.ok);
    expect([...(await contents(client, bucket)).keys()]).toEqual(['digits/model']);
  });

  const suspended = {
    status: 409,
    body: JSON.stringify({ code: REFUSAL.runSuspended, message: 'The run is suspended.' }),
  };

  test('of a suspended run is not admitted, and SIGTERM ends the asking at once', async () => {
    bed.double.faults.set(
      ROUTES.commit,
      Array.from({ length: 100 }, () => suspended),
    );
    const ended = runAgent(bed.host(withOutput, { graceForOutputs: 60_000, grace: 60_000 }));
    bed.start('echo 1 > out/model');
    while (bed.double.count(ROUTES.commit) < 2) await sleep(10);
    bed.terminate();
    const asked = bed.double.count(ROUTES.commit);
    expect(await ended).toBe(EXIT.terminated);
    expect(bed.double.count(ROUTES.commit)).toBeLessThanOrEqual(asked + 1);
    expect(bed.manifest).toMatchObject({ exit: { code: 0 } });
    expect(bed.manifest?.reason).toBeUndefined();
    expect(bed.manifest?.message).toContain('the run was suspended');
    expect((await contents(client, bucket)).size).toBe(0);
  });

  test('of a run that was suspended for a moment is admitted when it goes on', async () => {
    bed.double.faults.set(ROUTES.commit, [suspended, suspended]);
    const ended = runAgent(bed.host(withOutput));
    bed.start('echo 1 > out/model');
    expect(await ended).toBe(EXIT.ok);
    expect([...(await contents(client, bucket)).keys()]).toEqual(['digits/model']);
  });

  test('outputs that are not stored within the grace are told of before it is over', async () => {
    bed.double.operatorDown = true;
    const ended = runAgent(bed.host(withOutput, { graceForOutputs: 200 }));
    bed.start('echo 1 > out/model');
    while (bed.double.count(ROUTES.commit) === 0) await sleep(10);
    bed.terminate();
    while (!bed.lines.some((line) => line['msg'] === 'the outputs are given up')) await sleep(10);
    bed.double.operatorDown = false;
    expect(await ended).toBe(EXIT.terminated);
    expect(bed.manifest?.message).toContain('the outputs were not stored in time');
  });

  test('SIGTERM before the command has started ends the agent soon', async () => {
    const ended = runAgent(bed.host(withOutput));
    while (bed.double.count(ROUTES.grants) === 0) await sleep(5);
    bed.terminate();
    expect(await ended).toBe(EXIT.terminated);
    expect(bed.manifest).toMatchObject({ exit: { code: null, started: false } });
  });

  test('a command that outlives its time after SIGTERM is told as unfinished', async () => {
    const ended = runAgent(bed.host({}, { graceForCommand: 400 }));
    bed.start('sleep 60');
    while (!bed.lines.some((line) => line['msg'] === 'the command has started')) await sleep(10);
    bed.terminate();
    expect(await ended).toBe(EXIT.terminated);
    expect(bed.manifest?.message).toContain('did not end in time');
  });

  test('a bucket that is missing fails the outputs with a sentence', async () => {
    const location = { store: 'lake', bucket: 'no-such-bucket', prefix: '' };
    const ended = runAgent(bed.host({ outputs: [{ directory: join(bed.folder, 'out'), location }] }));
    bed.start('echo 1 > out/model');
    expect(await ended).toBe(EXIT.outputFailed);
    expect(bed.manifest).toMatchObject({ reason: 'OutputFailed', exit: { code: 0 } });
    expect(bed.manifest?.message).toContain('bucket no-such-bucket does not exist');
  });

  test('links in the output directory stay behind and are named in the log', async () => {
    await mkdir(join(bed.folder, 'out'), { recursive: true });
    await symlink(join(bed.folder, 'secret/token'), join(bed.folder, 'out/link'));
    const ended = runAgent(bed.host(withOutput));
    const child = bed.start('echo 1 > out/model');
    expect(await ended).toBe(EXIT.ok);
    if (child.exitCode === null) await once(child, 'exit');
    expect([...(await contents(client, bucket)).keys()]).toEqual(['digits/model']);
    expect(bed.lines).toContainEqual(expect.objectContaining({ path: 'link', kind: 'symbolic link' }));
  });
});
