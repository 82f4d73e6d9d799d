import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

let home: string;
let silent: Server;
let child: ChildProcess | undefined;
/** Resolves once the command has asked the store something. */
let asked: Promise<unknown>;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ebbflow-home-'));
  silent = createServer(() => undefined);
  asked = once(silent, 'request');
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
});
afterEach(async () => {
  if (child?.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  silent.closeAllConnections();
  silent.close();
  await rm(home, { recursive: true, force: true });
});

/** `npm run ebbflow` as a user has it, in a process group of its own; its store takes requests and never answers. */
function start(
  args: readonly string[],
  cwd: string,
): { npm: ChildProcess; end: Promise<unknown[]>; said: () => string } {
  const address = silent.address();
  if (address === null || typeof address === 'string') throw new Error('it listens');
  const npm = spawn('npm', ['--prefix', root, 'run', '--silent', 'ebbflow', '--', ...args], {
    cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: `http://127.0.0.1:${address.port}`,
    },
  });
  child = npm;
  let text = '';
  for (const stream of [npm.stdout, npm.stderr])
    stream?.setEncoding('utf8').on('data', (more) => (text += more));
  // Not before its output is closed: that is when nobody goes on in the background.
  return { npm, end: once(npm, 'close'), said: () => text };
}

test.each([
  ['SIGTERM', 'npm alone', 143],
  ['SIGINT', 'npm alone', 130],
  ['SIGTERM', 'the whole group', 143],
  ['SIGINT', 'the whole group', 130],
] as const)('%s to %s ends the command in order', async (name, whom, code) => {
  const { npm, end, said } = start(['copy', 's3://raw/', 's3://lake/', '--json'], home);
  await Promise.race([asked, end]);
  if (npm.pid === undefined) throw new Error('it runs');
  process.kill(whom === 'npm alone' ? npm.pid : -npm.pid, name);
  const [ended] = await end;
  expect(ended, said()).toBe(code);
  expect(said()).toContain('Stopping: what is under way is finished and recorded.');
});

test('paths are from the directory of whoever types them', async () => {
  const { npm, end } = start(['copy', 's3://raw/', 's3://lake/', '--state', './job'], home);
  await Promise.race([asked, end]);
  npm.kill('SIGTERM');
  await end;
  expect(existsSync(join(home, 'job'))).toBe(true);
});
