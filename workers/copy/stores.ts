import type { WorkerStore } from '../contract/environment.ts';
import { S3Client } from '../s3/client.ts';
import { ambientCredentials } from '../s3/ambient.ts';
import { mountedCredentials, readCa } from '../s3/mounted.ts';
import type { RetryPolicy } from '../s3/retry.ts';
import type { CopyJob } from './job.ts';
import type { Sides } from './sides.ts';
import { PlanRefused } from './problems.ts';

/** Opens a client for a store of the stage, with its mounted credentials or the environment's own. */
export async function openStore(
  store: WorkerStore,
  env: Readonly<Record<string, string | undefined>>,
  retry?: RetryPolicy,
): Promise<S3Client> {
  const { endpoint, region, addressing, credentials } = store;
  const mounted = credentials !== undefined;
  return new S3Client({
    endpoint,
    region,
    addressing,
    retry,
    ca: mounted ? await readCa(credentials) : undefined,
    credentials: mounted ? mountedCredentials(credentials) : ambientCredentials(env),
  });
}

/** The clients of both ends of a job; one where both name the same store. */
export async function openSides(
  job: CopyJob,
  stores: readonly WorkerStore[],
  env: Readonly<Record<string, string | undefined>>,
  retry?: RetryPolicy,
): Promise<Sides> {
  const open = async (name: string, field: string): Promise<S3Client> => {
    const store = stores.find((candidate) => candidate.name === name);
    if (store === undefined)
      throw new PlanRefused(`copy.${field}.store ${JSON.stringify(name)} is not in spec.stores`);
    return openStore(store, env, retry);
  };
  const source = await open(job.source.store, 'source');
  const oneStore = job.source.store === job.destination.store;
  return { source, destination: oneStore ? source : await open(job.destination.store, 'destination') };
}
