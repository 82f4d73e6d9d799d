import { join } from 'node:path';
import { projectRoot } from '../../cluster/paths.ts';
import { run } from '../../cluster/exec.ts';
import type { S3Server } from '../../support/s3server.ts';
import type { Command } from './measure.ts';
import type { ContenderName } from './rows.ts';

/** A program that copies one bucket to another. */
export interface Contender {
  readonly name: ContenderName;
  readonly version: string;
  /** `scratch` is an empty directory of its own. */
  command(store: Store, from: string, to: string, scratch: string): Command;
}

export type Store = Pick<S3Server, 'endpoint' | 'region' | 'accessKeyId' | 'secretAccessKey'>;

/** `ebbflow copy` as it is built for the image, under the project's own Node. */
export function ebbflowCopy(store: Store, args: readonly string[], scratch: string): Command {
  const program = join(projectRoot, 'dist/main.mjs');
  const where = ['--endpoint', store.endpoint, '--state', join(scratch, 'state')];
  return {
    command: process.execPath,
    args: [program, 'copy', ...args, ...where],
    env: { ...credentials(store), HOME: scratch },
  };
}

/** Compiles what `ebbflowCopy` runs. */
export async function buildEbbflow(): Promise<void> {
  await run('rolldown', ['-c', 'rolldown.config.ts'], { cwd: projectRoot, timeoutMs: 300_000 });
}

/** All three, with the versions that they tell. */
export async function openContenders(
  binaries: Readonly<Record<string, string>>,
  version: string,
): Promise<readonly Contender[]> {
  const { s5cmd = 's5cmd', rclone = 'rclone' } = binaries;
  return [
    {
      name: 'ebbflow',
      version,
      command: (store, from, to, scratch) =>
        ebbflowCopy(store, [`s3://${from}/`, `s3://${to}/`, '--quiet'], scratch),
    },
    {
      name: 's5cmd',
      version: 'v2.3.0',
      command: (store, from, to, scratch) => ({
        command: s5cmd,
        args: ['--endpoint-url', store.endpoint, 'cp', `s3://${from}/*`, `s3://${to}/`],
        env: { ...credentials(store), HOME: scratch },
      }),
    },
    {
      name: 'rclone',
      version: 'v1.76.0',
      command: (store, from, to, scratch) => ({
        command: rclone,
        // Its own number of transfers is 4, and it asks for one directory after the other: no match for the others.
        args: [
          'copy',
          '--transfers',
          '32',
          '--checkers',
          '32',
          '--fast-list',
          `store:${from}`,
          `store:${to}`,
        ],
        env: {
          HOME: scratch,
          RCLONE_CONFIG: join(scratch, 'rclone.conf'),
          RCLONE_CONFIG_STORE_TYPE: 's3',
          RCLONE_CONFIG_STORE_PROVIDER: 'Other',
          RCLONE_CONFIG_STORE_ENDPOINT: store.endpoint,
          RCLONE_CONFIG_STORE_REGION: store.region,
          RCLONE_CONFIG_STORE_ACCESS_KEY_ID: store.accessKeyId,
          RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY: store.secretAccessKey,
        },
      }),
    },
  ];
}

function credentials({ accessKeyId, secretAccessKey, region }: Store): Record<string, string> {
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region };
}
