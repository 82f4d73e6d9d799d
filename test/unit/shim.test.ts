import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readExitRecord } from '../../workers/train/exitrecord.ts';
import { provideShim } from '../support/shimbinary.ts';

let shim = '';
let folder = '';
let socketPath = '';
let recordPath = '';
const children: ChildProcess[] = [];

beforeAll(async () => {
  shim = await provideShim();
}, 300_000);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebbflow-shim-'));
  socketPath = join(folder, 'agent.sock');
  recordPath = join(folder, 'exit.json');
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

function start(command: string[], flags: string[] = []): { child: ChildProcess; ended: Promise<Ended> } {
  const args = ['-socket', socketPath, '-record', recordPath, ...flags, '--', ...command];
  const child = spawn(shim, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close').then(() => ({
    code: child.exitCode,
    signal: child.signalCode,
    stdout,
    stderr,
  }));
  return { child, ended };
}

/** An agent that keeps what it is told. */
async function listen(): Promise<{ server: Server; sockets: Socket[]; said: string[] }> {
  const said: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let rest = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      said.push(...lines);
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return { server, sockets, said };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

const types = (said: readonly string[]): unknown[] => said.map((line) => JSON.parse(line).type);

describe('shim', () => {
  test('ends with the code of its command, says so, and leaves the streams alone', async () => {
    const agent = await listen();
    const { ended } = start(['sh', '-c', 'printf out; printf err >&2; exit 7']);
    expect(await ended).toEqual({ code: 7, signal: null, stdout: 'out', stderr: 'err' });
    const record = await readExitRecord(recordPath);
    expect(record).toMatchObject({ started: true, code: 7 });
    expect(record?.terminated).toBeUndefined();
    await until(() => agent.said.length === 3);
    expect(types(agent.said)).toEqual(['hello', 'start', 'exit']);
    expect(JSON.parse(agent.said[2] ?? '').exit).toMatchObject({ started: true, code: 7 });
    agent.server.close();
  });

  test('tells of a signal as 128 + n and by name', async () => {
    const agent = await listen();
    const { ended } = start(['sh', '-c', 'kill -9 $$']);
    expect((await ended).code).toBe(137);
    expect(await readExitRecord(recordPath)).toMatchObject({ started: true, code: null, signal: 'SIGKILL' });
    agent.server.close();
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGWINCH'] as const)(
    'passes %s on',
    async (name) => {
      const agent = await listen();
      const short = name.slice(3);
      const { child, ended } = start([
        'sh',
        '-c',
        `trap 'exit 42' ${short}; echo ready; while :; do sleep 0.05; done`,
      ]);
      child.stdout?.once('data', () => child.kill(name));
      expect((await ended).code).toBe(42);
      const record = await readExitRecord(recordPath);
      const asksToEnd = ['SIGTERM', 'SIGINT', 'SIGQUIT'].includes(name);
      expect(record?.terminated).toBe(asksToEnd || undefined);
      agent.server.close();
    },
  );

  test('kills a command that ignores SIGTERM, with everything in its group', async () => {
    const agent = await listen();
    const script = `trap '' TERM; sh -c "trap '' TERM; echo $$ ready; while :; do sleep 0.05; done" & wait; while :; do sleep 0.05; done`;
    const { child, ended } = start(['sh', '-c', script], ['-kill-after', '200ms']);
    child.stdout?.once('data', () => child.kill('SIGTERM'));
    // The streams close only when the grandchild is dead too.
    expect((await ended).code).toBe(137);
    agent.server.close();
  });

  test.each([
    ['a name that is nowhere in PATH', ['no-such-command-here'], 127, 'PATH'],
    ['a path that is not there', ['/no/such/file'], 127, 'no such file'],
    ['a directory', ['/'], 126, 'could not be started'],
  ])('%s does not start', async (_, command, code, words) => {
    const agent = await listen();
    const { ended } = start(command);
    const end = await ended;
    expect(end.code).toBe(code);
    expect(end.stderr).toContain(words);
    expect(await readExitRecord(recordPath)).toMatchObject({ started: false, code });
    await until(() => agent.said.length === 2);
    expect(types(agent.said)).toEqual(['hello', 'exit']);
    agent.server.close();
  });

  test.each([
    ['without the right to execute', 0o644, '#!/bin/sh\n', 126, 'not executable'],
    ['without a #! line', 0o755, 'neither\n', 126, '#! line'],
    ['with a missing interpreter', 0o755, '#!/no/such/shell\n', 127, 'interpreter'],
  ])('a file %s does not start', async (_, mode, text, code, words) => {
    const agent = await listen();
    const file = join(folder, 'file');
    await writeFile(file, text);
    await chmod(file, mode);
    const end = await start([file]).ended;
    expect(end.code).toBe(code);
    expect(end.stderr).toContain(words);
    agent.server.close();
  });

  test('runs the command at once and waits for an agent that comes late', async () => {
    const { ended } = start(['sh', '-c', `echo done > ${join(folder, 'mark')}; exit 5`]);
    await until(() => existsSync(recordPath));
    expect(await readFile(join(folder, 'mark'), 'utf8')).toBe('done\n');
    const agent = await listen();
    expect((await ended).code).toBe(5);
    await until(() => agent.said.length === 3);
    expect(types(agent.said)).toEqual(['hello', 'start', 'exit']);
    agent.server.close();
  });

  test('says everything again to an agent that was lost and came back', async () => {
    const first = await listen();
    const { ended } = start([
      'sh',
      '-c',
      `while [ ! -e ${join(folder, 'go')} ]; do sleep 0.02; done; exit 6`,
    ]);
    await until(() => first.said.length === 2);
    for (const socket of first.sockets) socket.destroy();
    await new Promise((resolve) => first.server.close(resolve));
    const second = await listen();
    await until(() => second.said.length === 2);
    await writeFile(join(folder, 'go'), '');
    expect((await ended).code).toBe(6);
    await until(() => second.said.length === 3);
    expect(types(second.said)).toEqual(['hello', 'start', 'exit']);
    second.server.close();
  });

  test('an agent that dies for good neither stops the command nor hides its end', async () => {
    const agent = await listen();
    const { ended } = start([
      'sh',
      '-c',
      `while [ ! -e ${join(folder, 'go')} ]; do sleep 0.02; done; exit 8`,
    ]);
    await until(() => agent.said.length === 2);
    for (const socket of agent.sockets) socket.destroy();
    await new Promise((resolve) => agent.server.close(resolve));
    await writeFile(join(folder, 'go'), '');
    expect((await ended).code).toBe(8);
    expect(await readExitRecord(recordPath)).toMatchObject({ code: 8 });
  });

  test('a shim that is killed closes its stream without an exit message', async () => {
    const agent = await listen();
    const { child, ended } = start(['sleep', '60']);
    await until(() => agent.said.length === 2);
    const pid: number = JSON.parse(agent.said[1] ?? '').pid;
    const gone = new Promise((resolve) => agent.sockets[0]?.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
    process.kill(pid, 'SIGKILL');
    await ended;
    expect(types(agent.said)).toEqual(['hello', 'start']);
    expect(existsSync(recordPath)).toBe(false);
    agent.server.close();
  });

  test('reaps the orphans of its command and is not confused by thousands of children', async () => {
    const agent = await listen();
    const many = 'i=0; while [ $i -lt 3000 ]; do (true &); i=$((i+1)); done';
    const wait = `while [ ! -e ${join(folder, 'go')} ]; do sleep 0.02; done`;
    const { child, ended } = start(['sh', '-c', `${many}; echo made; ${wait}; exit 9`]);
    await once(child.stdout ?? child, 'data');
    while ((await countZombies(child.pid ?? 0)) > 0) await sleep(10);
    await writeFile(join(folder, 'go'), '');
    expect((await ended).code).toBe(9);
    agent.server.close();
  });
});

async function countZombies(parent: number): Promise<number> {
  let count = 0;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const [, state, ppid] = /\) (\S) (\d+)/.exec(stat) ?? [];
    if (state === 'Z' && Number(ppid) === parent) count += 1;
  }
  return count;
}
