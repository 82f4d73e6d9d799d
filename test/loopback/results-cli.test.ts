import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { PipelineRun } from '../../operator/api/types.ts';
import { systemClock } from '../../operator/kube/clock.ts';
import { type Logger, silentLogger } from '../../operator/kube/logger.ts';
import { createResultsApi } from '../../operator/results/api/server.ts';
import type { ResultsService } from '../../operator/results/results.ts';
import { deadLettersKey, ledgerDoneKey } from '../../workers/contract/keys.ts';
import { formatDeadLetter } from '../../workers/contract/ledger.ts';
import { packLines } from '../../workers/copy/frames.ts';
import { runsReply } from '../../workers/contract/resultsapi.ts';
import { attemptRef, FakeContainerLog, podOf, textLines, timeOf, uid } from '../support/results/fakepods.ts';
import { MemoryStore } from '../support/results/memorystore.ts';
import { createService, decidedRun } from '../support/results/runs.ts';

const signal = AbortSignal.timeout(60_000);
const ref = attemptRef();
const stops: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}

interface World {
  url: string;
  store: MemoryStore;
  service: ResultsService;
  log: FakeContainerLog;
  runs: PipelineRun[];
  /** What the operator has logged of its answers: level and message. */
  said: string[];
}

async function serve(): Promise<World> {
  const log = new FakeContainerLog();
  log.lines = [
    { time: timeOf(0), bytes: Buffer.from('plain') },
    { time: timeOf(1), bytes: Buffer.from('\u001b[31mred\u001b[0m\u0007') },
    { time: timeOf(2), bytes: Buffer.from([0xff, 0x00, 0x41]) },
  ];
  log.ended = true;
  const store = new MemoryStore();
  const service = createService(store, (options) => log.read(options));
  await service.start(signal);
  const runs: PipelineRun[] = [];
  const said: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    debug: (_, message) => said.push(`debug: ${message}`),
    warn: (_, message) => said.push(`warn: ${message}`),
    error: (_, message) => said.push(`error: ${message}`),
  };
  const api = createResultsApi({
    results: service,
    runs: { list: () => runs },
    clock: systemClock,
    logger,
  });
  await api.listen({ host: '127.0.0.1', port: 0 });
  stops.push(() => service.stop());
  stops.push(() => api.close());
  const address = api.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, store, service, log, runs, said };
}

async function commit(world: World, n = 1): Promise<void> {
  const attempt = { ...ref, runUID: uid(n), podUID: uid(1000 + n) };
  world.service.logs.observe(attempt, podOf(attempt, 'Succeeded', { main: 0 }));
  await until(() => world.service.logs.settled(attempt.podUID));
  const run = decidedRun({ uid: uid(n), name: `run-${n}`, admitted: attempt.podUID });
  await world.service.commit(
    { run, attempts: [attempt], nodes: { launched: 1, nodeSeconds: 61 }, discrepancies: [] },
    signal,
  );
}

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function cli(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const main = join(import.meta.dirname, '../../cli/main.ts');
    execFile(
      process.execPath,
      [main, ...args],
      { env: { ...process.env, ...env }, encoding: 'utf8', signal },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test('what a copy could not copy is listed with the reason, stage by stage', async () => {
  const world = await serve();
  const prefix = `v1/test/team/${uid(2)}/`;
  const { status, ...live } = decidedRun({ uid: uid(2), name: 'running' });
  const stages = [
    { name: 'arrange', state: 'Running' as const, progress: { done: 1, total: 2, unit: 'objects' } },
  ];
  world.runs.push({ ...live, status: { ...status, outcome: undefined, stages } });
  const row = {
    source: 'raw/\u001b[31m1',
    sourceEtag: 'e',
    size: 1,
    destination: 'lake/1',
    destinationEtag: '',
  };
  const line = formatDeadLetter({ ...row, row: 0, outcome: 'Failed', time: 0, error: 'Odd: no' });
  const key = deadLettersKey('arrange', 3, uid(7));
  const counts = { rows: 1, copied: 0, skipped: 0, unchanged: 0, failed: 1, bytes: 0 };
  const deadLetters = { key, rows: 1, sha256: '0'.repeat(64) };
  const done = { version: 1, shard: 3, ...counts, segments: [], deadLetters };
  const nothing = { version: 1, shard: 4, ...counts, failed: 0, segments: [] };
  await world.store.put(prefix + key, await packLines([line]), { signal });
  await world.store.put(prefix + ledgerDoneKey('arrange', 3), Buffer.from(JSON.stringify(done)), { signal });
  await world.store.put(prefix + ledgerDoneKey('arrange', 4), Buffer.from(JSON.stringify(nothing)), {
    signal,
  });
  const listed = await cli(['results', 'failures', uid(2), '--server', world.url]);
  expect(listed.stderr).toBe('');
  expect(listed.stdout).toMatch(/^arrange  raw\/\S*\[31m1 -> lake\/1  Odd: no\n$/);
  expect(listed.stdout).not.toContain('\u001b');
  const json = await cli([
    'results',
    'failures',
    uid(2),
    '--stage',
    'arrange',
    '--json',
    '--server',
    world.url,
  ]);
  expect(json.stdout).toBe(`${line}\n`);
});

test('of a copy that was refused it is said that no object was the reason', async () => {
  const world = await serve();
  const message = 'two objects would become one: "a" and "b"';
  const run = decidedRun();
  const stages = [
    { name: 'arrange', state: 'Failed' as const, reason: 'PlanRefused', message },
    { name: 'train', state: 'Skipped' as const, reason: 'DependencyFailed' },
  ];
  const outcome = { result: 'Failed' as const, reason: 'StageFailed', time: '2026-01-02T03:04:05.000Z' };
  const refused = { ...run, status: { ...run.status, outcome, stages } };
  world.runs.push(refused);
  const args = ['results', 'failures', uid(1), '--server', world.url];
  const expected = {
    code: 1,
    stdout: '',
    stderr: `ebbflow: the copy of stage arrange was refused before its first object: ${message}\ntry: ebbflow results show ${uid(1)}\n`,
  };
  expect(await cli(args)).toEqual(expected);
  const nodes = { launched: 0, nodeSeconds: 0 };
  await world.service.commit({ run: refused, attempts: [], nodes, discrepancies: [] }, signal);
  expect(await cli(args)).toEqual(expected);
  expect(await cli([...args, '--stage', 'nope'])).toMatchObject({
    code: 1,
    stderr: `ebbflow: the run has no stage nope; it has arrange, train\ntry: ebbflow results show ${uid(1)}\n`,
  });
  expect((await cli([...args, '--stage', 'train'])).stderr).toContain('stage train is no copy\n');
});

test.each([
  [['--stage', 'nope'], 'the run has no stage nope; it has arrange, train.'],
  [['--stage', 'nope', '--follow'], 'the run has no stage nope; it has arrange, train.'],
  [['--stage', 'arrange'], 'no worker of stage arrange has left one.'],
  [['--worker', '3'], 'the run has none of worker 3; there is worker 0.'],
  [['--stage', 'train', '--worker', '3'], 'stage train has none of worker 3; there is worker 0.'],
  [['--container', 'nope'], 'no container nope of a worker of the run has left one.'],
  [['--worker', '0', '--container', 'nope'], 'no container nope of worker 0 of the run has left one.'],
])('when no log fits %j, what does not fit is named', async (args, why) => {
  const finished = await serve();
  await commit(finished);
  const stderr = `ebbflow: No log fits: ${why}\ntry: ebbflow results show ${uid(1)}\n`;
  const asked = (world: World): Promise<Outcome> => cli(['logs', uid(1), ...args, '--server', world.url]);
  expect(await asked(finished)).toEqual({ code: 1, stdout: '', stderr });
  const live = await serve();
  const { status, ...run } = decidedRun();
  live.runs.push({ ...run, status: { ...status, outcome: undefined } });
  live.service.logs.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  await until(() => live.service.logs.settled(ref.podUID));
  expect(await asked(live)).toEqual({ code: 1, stdout: '', stderr });
});

test('a follower that leaves is nothing to warn of', async () => {
  const world = await serve();
  world.log.ended = false;
  world.log.lines = textLines(5);
  world.runs.push(decidedRun());
  world.service.logs.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  const leave = new AbortController();
  const answer = await fetch(`${world.url}/v1/runs/${uid(1)}/logs?follow=true`, { signal: leave.signal });
  const reader = answer.body?.getReader();
  await reader?.read();
  leave.abort();
  await until(() => world.said.length > 0);
  expect(world.said).toEqual(['debug: the reader of a log has left']);
});

test('where nothing answers, the address is named', async () => {
  const { code, stderr } = await cli(['results', 'list', '--server', 'http://127.0.0.1:1']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/results cannot be reached at http:\/\/127\.0\.0\.1:1\ntry: kubectl get pods /);
});

test('finished and live runs are listed, shown, and their logs read', async () => {
  const world = await serve();
  await commit(world);
  const { status, ...live } = decidedRun({ uid: uid(2), name: 'running' });
  world.runs.push({ ...live, status: { ...status, outcome: undefined } });
  const list = await cli(['results', 'list', '--server', world.url]);
  expect(list.stderr).toBe('');
  expect(list.stdout).toMatch(/^UID +NAMESPACE +NAME +RESULT +STARTED +TOOK +NODES +LOGS\n/);
  expect(list.stdout).toContain(`${uid(1)}  team       run-1    Succeeded`);
  expect(list.stdout).toContain('running');
  const show = await cli(['results', 'show', uid(1), '--server', world.url]);
  expect(show.stdout).toContain(`team/run-1  ${uid(1)}`);
  expect(show.stdout).toMatch(/stored at +s3:\/\/results\/v1\/test\/team\//);
  expect(show.stdout).toMatch(/train +train +Succeeded \(Completed\) +- +1 +- +3 lines/);
  const logs = await cli(['logs', uid(1), '--server', world.url, '--timestamps']);
  expect(logs.stdout.split('\n')[0]).toBe(`${timeOf(0)} train/0 | plain`);
  const raw = await cli([
    'logs',
    uid(1),
    '--stage',
    'train',
    '--worker',
    '0',
    '--raw',
    '--server',
    world.url,
  ]);
  expect(raw.stdout.split('\n').slice(0, 2)).toEqual(['plain', '\u001b[31mred\u001b[0m\u0007']);
  const json = await cli(['logs', uid(1), '--json', '--server', world.url]);
  expect(JSON.parse(json.stdout.split('\n')[2] ?? '')).toMatchObject({
    base64: Buffer.from([0xff, 0, 0x41]).toString('base64'),
  });
});

test('one line is no lines', async () => {
  const world = await serve();
  world.log.lines = textLines(1);
  await commit(world);
  const show = await cli(['results', 'show', uid(1), '--server', world.url]);
  expect(show.stdout).toMatch(/ 1 line, \d+ B\n/);
});

test('a log is served byte for byte, as plain text that nothing may take for anything else', async () => {
  const world = await serve();
  await commit(world);
  const response = await fetch(`${world.url}/v1/runs/${uid(1)}/logs?format=text`);
  const expected = Buffer.concat(world.log.lines.flatMap(({ bytes }) => [bytes, Buffer.from('\n')]));
  expect(Buffer.from(await response.arrayBuffer()).equals(expected)).toBe(true);
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
});

test('a log that is followed comes as it is captured and ends with the run', async () => {
  const world = await serve();
  world.log.ended = false;
  world.log.lines = textLines(5);
  world.runs.push(decidedRun());
  world.service.logs.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  const following = cli(['logs', uid(1), '--follow', '--server', world.url]);
  await until(() => world.log.reads.length > 0);
  world.log.lines = textLines(10);
  world.log.ended = true;
  world.service.logs.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  await until(() => world.service.logs.settled(ref.podUID));
  await world.service.commit(
    { run: decidedRun(), attempts: [ref], nodes: { launched: 0, nodeSeconds: 0 }, discrepancies: [] },
    signal,
  );
  const { stdout } = await following;
  expect(stdout.trim().split('\n')).toEqual(Array.from({ length: 10 }, (_, n) => `train/0 | line ${n}`));
});

test('pages follow each other without overlap, and filters narrow them', async () => {
  const world = await serve();
  for (let n = 1; n <= 7; n += 1) await commit(world, n);
  const seen: string[] = [];
  let after = '';
  do {
    const response = await fetch(`${world.url}/v1/runs?limit=3${after === '' ? '' : `&after=${after}`}`);
    const page = runsReply.parse(await response.json());
    seen.push(...page.runs.map((run) => run.uid));
    after = page.next ?? '';
  } while (after !== '');
  expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1].map(uid));
  const none = await fetch(`${world.url}/v1/runs?namespace=elsewhere`);
  expect(runsReply.parse(await none.json()).runs).toEqual([]);
});

test('a damaged chunk is never served as a log: the entry says so, and the command fails', async () => {
  const world = await serve();
  await commit(world);
  for (const [key, bytes] of world.store.objects)
    if (key.endsWith('.zst'))
      world.store.objects.set(key, Buffer.from(bytes.map((byte, n) => (n === 20 ? byte ^ 1 : byte))));
  const { code, stdout, stderr } = await cli(['logs', uid(1), '--server', world.url]);
  expect(code).toBe(1);
  expect(`${stdout}${stderr}`).toContain('failed');
  expect(stdout).not.toContain('plain');
});

test('what does not exist, or was asked in a wrong way, is refused with what to do', async () => {
  const world = await serve();
  await until(() => world.service.indexComplete);
  const missing = await cli(['results', 'show', uid(9), '--server', world.url]);
  expect(missing).toMatchObject({ code: 1, stdout: '' });
  expect(missing.stderr).toBe('ebbflow: There is no such run.\ntry: ebbflow results list\n');
  expect(await cli(['logs', 'nightly'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('try: ebbflow results list'),
  });
  expect(await cli(['results', 'list', '--follow'])).toMatchObject({ code: 2 });
  expect(await cli(['results', 'list', '--after', 'zzz'])).toMatchObject({ code: 2 });
  for (const path of [
    '/v1/runs/..%2f..%2frun.json',
    '/v1/runs/x',
    '/v1/runs?limit=0',
    '/v1/runs?after=zzz',
    '/v1/runs?result=Odd',
  ])
    expect((await fetch(world.url + path)).status, path).toBe(400);
});

test('a page in a browser that calls this machine by a name of its own gets nothing', async () => {
  const world = await serve();
  const { port } = new URL(world.url);
  const answer = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { host: 'evil.test' };
    get({ host: '127.0.0.1', port, path: '/v1/runs', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
  expect(answer).toBe(403);
});

/** A kubectl that knows one pod and forwards nothing: it prints the port that is there already. */
const KUBECTL = `#!/bin/sh
echo "$@" >> "$KUBECTL_LOG"
case "$*" in
  *"get pods"*) echo '{"items":[{"metadata":{"name":"ebbflow-abc"},"status":{"phase":"'"$KUBECTL_PHASE"'"}}]}';;
  *port-forward*) echo "Forwarding from 127.0.0.1:$KUBECTL_PORT -> 8081"; trap 'echo ended >> "$KUBECTL_LOG"; exit 0' TERM; while :; do sleep 0.05; done;;
esac
`;

test('without an address, kubectl forwards a port to the operator and is ended afterwards', async () => {
  const world = await serve();
  await commit(world);
  const folder = await mkdtemp(join(tmpdir(), 'ebbflow-cli-'));
  stops.push(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'kubectl'), KUBECTL);
  await chmod(join(folder, 'kubectl'), 0o755);
  const logFile = join(folder, 'log');
  const env = {
    PATH: `${folder}:${process.env['PATH'] ?? ''}`,
    KUBECTL_LOG: logFile,
    KUBECTL_PHASE: 'Running',
    KUBECTL_PORT: new URL(world.url).port,
  };
  const list = await cli(['results', 'list', '-n', 'flow'], env);
  expect(list).toMatchObject({ code: 0, stdout: expect.stringContaining(uid(1)) });
  let calls = '';
  while (!calls.includes('ended')) {
    await sleep(5);
    calls = await readFile(logFile, 'utf8');
  }
  expect(calls).toContain('--namespace=flow port-forward pod/ebbflow-abc :8081 --address=127.0.0.1');
  const none = await cli(['results', 'list'], { ...env, KUBECTL_PHASE: 'Pending' });
  expect(none.code).toBe(1);
  expect(none.stderr).toMatch(
    /no pod of the operator is running in namespace ebbflow-system\ntry: kubectl get pods/,
  );
});
