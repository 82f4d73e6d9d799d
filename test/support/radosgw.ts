import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '../../workers/s3/client.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { installTestPackages } from '../cluster/debian.ts';
import { run } from '../cluster/exec.ts';
import { cephConfiguration } from './cephconf.ts';
import { freePort, kill, ownAddress, type S3Server, waitForAnswer } from './s3server.ts';

const credentials = { accessKeyId: 'test-access', secretAccessKey: 'test-secret' };

/** Who is who in the cluster, and what they may do. All of them are known to the monitor from its first moment. */
const entities = [
  ['mon.', ['mon', 'allow *']],
  ['osd.0', ['mon', 'allow profile osd', 'osd', 'allow *']],
  ['client.rgw', ['mon', 'allow rw', 'osd', 'allow rwx']],
] as const;

/**
 * Starts Ceph's S3 gateway on loopback: one monitor, one OSD that keeps its objects in memory, radosgw. Everything else
 * is in a temporary folder. What it takes differently from a file store: every key is a key of its own.
 */
export async function startRadosgw(): Promise<S3Server> {
  await installTestPackages(() => undefined);
  const folder = await mkdtemp(join(tmpdir(), 'ebbflow-radosgw-'));
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) await kill(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const port = await freePort();
    await startCeph(folder, { monitor: await freePort(), gateway: port }, children);
    const endpoint = `http://${ownAddress()}:${port}`;
    children.push(startDaemon(folder, 'radosgw', ['-n', 'client.rgw']));
    await Promise.all(children.slice(-1).map((gateway) => waitForAnswer(endpoint, gateway)));
    const client = new S3Client({ endpoint, credentials: fixedCredentials(credentials) });
    return {
      endpoint,
      region: 'us-east-1',
      ...credentials,
      capabilities: {
        sourcePinned: false,
        createOnly: false,
        putCreateOnly: true,
        completeCreateOnly: false,
        deleteIfMatch: false,
        aliases: 'Exact',
      },
      checksums: false,
      createBucket: (bucket) =>
        client.request(
          { operation: 'CreateBucket', method: 'PUT', bucket },
          () => undefined,
          AbortSignal.timeout(30_000),
        ),
      stop: async () => {
        await client.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Monitor and OSD, and the user that the tests are. */
async function startCeph(
  folder: string,
  ports: { readonly monitor: number; readonly gateway: number },
  children: ChildProcess[],
): Promise<void> {
  const fsid = randomUUID();
  const file = (name: string): string => join(folder, name);
  await mkdir(file('osd'));
  await writeFile(file('ceph.conf'), cephConfiguration(folder, fsid, ownAddress(), ports));
  for (const [index, [name, rights]] of entities.entries()) {
    const caps = [];
    for (let at = 0; at < rights.length; at += 2) caps.push('--cap', rights[at] ?? '', rights[at + 1] ?? '');
    const create = index === 0 ? ['--create-keyring'] : [];
    await ceph(folder, 'ceph-authtool', [...create, file('keyring'), '--gen-key', '-n', name, ...caps]);
  }
  const monitor = `[v2:${ownAddress()}:${ports.monitor}]`;
  const features = ['--enable-all-features', file('monmap')];
  await ceph(folder, 'monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', monitor, ...features]);
  await ceph(folder, 'osdmaptool', ['--createsimple', '1', file('osdmap')]);
  const maps = ['--monmap', file('monmap'), '--osdmap', file('osdmap')];
  await ceph(folder, 'ceph-mon', ['-i', 'a', '--mkfs', ...maps, '--keyring', file('keyring')]);
  children.push(startDaemon(folder, 'ceph-mon', ['-i', 'a']));
  await ceph(folder, 'ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', randomUUID()]);
  children.push(startDaemon(folder, 'ceph-osd', ['-i', '0']));
  const keys = ['--access-key', credentials.accessKeyId, '--secret-key', credentials.secretAccessKey];
  const user = ['--uid', 'test', '--display-name', 'test', '--max-buckets', '0', ...keys];
  await ceph(folder, 'radosgw-admin', ['-n', 'client.rgw', 'user', 'create', ...user]);
}

function environment(folder: string): NodeJS.ProcessEnv {
  return { ...process.env, CEPH_CONF: join(folder, 'ceph.conf') };
}

function ceph(folder: string, command: string, args: readonly string[]): Promise<string> {
  return run(command, args, { env: environment(folder) });
}

function startDaemon(folder: string, command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, ['-f', ...args], {
    env: environment(folder),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  child.on('error', () => undefined); // shows as a server that does not answer
  return child;
}
