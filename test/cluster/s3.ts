import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressesOf } from './addresses.ts';
import { makeCgroup } from './cgroups.ts';
import { lastWords, runningProcess, startProcess } from './processes.ts';
import { type ClusterState, programOf } from './state.ts';

/** The store's region; it checks the region of signatures. */
export const storeRegion = 'us-east-1';

/** Starts the S3 store (objects are plain files below the cluster's folder) on the bridge, and waits for it to answer. */
export async function startStore(state: ClusterState): Promise<void> {
  const { bridge, s3Endpoint } = addressesOf(state.id);
  const objects = join(state.directory, 's3');
  await mkdir(objects, { recursive: true });
  const cgroup = `${bridge}/store`;
  await makeCgroup(cgroup);
  startProcess(state.directory, {
    name: 'versitygw',
    command: programOf(state, 'versitygw'),
    args: ['--port', new URL(s3Endpoint).host, '--region', storeRegion, '--quiet', 'posix', objects],
    env: { ROOT_ACCESS_KEY_ID: state.s3.accessKeyId, ROOT_SECRET_ACCESS_KEY: state.s3.secretAccessKey },
    cgroup,
  });
  for (let attempt = 0; attempt < 200; attempt++) {
    // Any answer will do: without a signature it is a refusal.
    const answer = await fetch(s3Endpoint, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer !== undefined) return;
    if (runningProcess(state.directory, 'versitygw') === undefined) break;
    await sleep(50);
  }
  throw new Error(
    `the S3 store does not answer at ${s3Endpoint}:\n${lastWords(state.directory, 'versitygw')}`,
  );
}
