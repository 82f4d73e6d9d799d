import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provideBinaries } from '../cluster/binaries.ts';
import { freePort, kill, ownAddress, type S3Server, waitForAnswer } from './s3server.ts';

/** A versitygw of its own on loopback, with its objects in a folder of its own. */
export interface Gateway extends S3Server {
  /** Where the objects are: `<root>/<bucket>/<key>`. */
  readonly root: string;
  /** What the gateway logged: one line per request. */
  accessLog(): string[];
}

/** Starts a gateway; the program is compiled into the cache when it is not there yet. */
export async function startGateway(): Promise<Gateway> {
  const { versitygw } = await provideBinaries(['versitygw'], () => undefined);
  if (versitygw === undefined) throw new Error('versitygw could not be provided');
  const folder = await mkdtemp(join(tmpdir(), 'ebbflow-gateway-'));
  const root = join(folder, 'objects');
  await mkdir(root);
  const log = join(folder, 'access.log');
  const place = `${ownAddress()}:${await freePort()}`;
  const endpoint = `http://${place}`;
  const credentials = { accessKeyId: 'test-access', secretAccessKey: 'test-secret' };
  const args = ['--port', place, '--region', 'us-east-1', '--quiet', '--keep-alive'];
  const child = spawn(versitygw, [...args, '--access-log', log, 'posix', root], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ROOT_ACCESS_KEY_ID: credentials.accessKeyId, ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey },
  });
  await waitForAnswer(endpoint, child);
  return {
    endpoint,
    region: 'us-east-1',
    ...credentials,
    capabilities: {
      sourcePinned: true,
      createOnly: false,
      putCreateOnly: true,
      completeCreateOnly: true,
      deleteIfMatch: true,
      aliases: 'Posix',
    },
    checksums: true,
    root,
    createBucket: async (name) => {
      await mkdir(join(root, name));
    },
    accessLog: () => readFileSync(log, 'utf8').split('\n'),
    stop: async () => {
      await kill(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
