import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { provideBinaries } from '../cluster/binaries.ts';

/** A versitygw of its own on loopback, with its objects in a folder of its own. */
export interface Gateway {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Where the objects are: `<root>/<bucket>/<key>`. */
  readonly root: string;
  /** Makes an empty bucket. */
  createBucket(name: string): Promise<void>;
  /** What the gateway logged: one line per request. */
  accessLog(): string[];
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Starts a gateway; the program is compiled into the cache when it is not there yet. */
export async function startGateway(): Promise<Gateway> {
  const { versitygw } = await provideBinaries(['versitygw'], () => undefined);
  if (versitygw === undefined) throw new Error('versitygw could not be provided');
  const folder = await mkdtemp(join(tmpdir(), 'ebbflow-gateway-'));
  const root = join(folder, 'objects');
  await mkdir(root);
  const log = join(folder, 'access.log');
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: 'test-access', secretAccessKey: 'test-secret' };
  const args = ['--port', `127.0.0.1:${port}`, '--region', 'us-east-1', '--quiet', '--keep-alive'];
  const child = spawn(versitygw, [...args, '--access-log', log, 'posix', root], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ROOT_ACCESS_KEY_ID: credentials.accessKeyId, ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey },
  });
  await waitForAnswer(endpoint, child);
  return {
    endpoint,
    region: 'us-east-1',
    ...credentials,
    root,
    createBucket: async (name) => {
      await mkdir(join(root, name));
    },
    accessLog: () => readFileSync(log, 'utf8').split('\n'),
    stop: async () => {
      if (child.exitCode === null) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function waitForAnswer(endpoint: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    if (child.exitCode !== null) break;
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer !== undefined) return;
    await sleep(25);
  }
  throw new Error(`versitygw does not answer at ${endpoint}`);
}
