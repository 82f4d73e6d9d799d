/** Runs once before all e2e tests: namespaces, Secrets, buckets, and `helm install` of the chart. */
import { S3Error } from '../../../workers/s3/errors.ts';
import { run } from '../../cluster/exec.ts';
import { projectRoot } from '../../cluster/paths.ts';
import { createBuckets } from '../../demo/seed.ts';
import { openBed } from './bed.ts';
import {
  BUCKETS,
  COMMIT_TIMEOUT_SECONDS,
  COPY_WORKER_SHARE,
  NAMESPACE,
  NODE_LOST_SECONDS,
  RESULTS_BUCKET,
  SYSTEM_NAMESPACE,
} from './names.ts';

export async function setup(): Promise<void> {
  const bed = await openBed({ beside: true });
  const { cluster, image } = bed;
  const namespaces = [SYSTEM_NAMESPACE, NAMESPACE, 'other'];
  const secrets = [
    { name: 'results-store', namespace: SYSTEM_NAMESPACE },
    { name: 's3', namespace: NAMESPACE },
    { name: 's3', namespace: 'other' },
  ];
  const stringData = {
    AWS_ACCESS_KEY_ID: cluster.s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: cluster.s3.secretAccessKey,
  };
  const items = [
    ...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    ...secrets.map((metadata) => ({ apiVersion: 'v1', kind: 'Secret', metadata, stringData })),
  ];
  await cluster.kubectl(['apply', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  });
  for (const bucket of BUCKETS)
    await createBuckets(bed.store, [bucket], AbortSignal.timeout(30_000)).catch(unlessThere);
  const colon = image.lastIndexOf(':');
  const values = {
    'image.repository': image.slice(0, colon),
    'image.tag': image.slice(colon + 1),
    clusterName: 'e2e',
    'results.endpoint': cluster.s3.endpoint,
    'results.region': cluster.s3.region,
    'results.bucket': RESULTS_BUCKET,
    'results.existingSecret': 'results-store',
    dnsPolicy: 'Default',
  };
  const numbers = {
    'operator.nodeLostSeconds': NODE_LOST_SECONDS,
    'operator.commitTimeoutSeconds': COMMIT_TIMEOUT_SECONDS,
    'operator.copyWorkerShare': COPY_WORKER_SHARE,
  };
  const settings = [
    ...Object.entries(values).flatMap(([name, value]) => ['--set-string', `${name}=${value}`]),
    ...Object.entries(numbers).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
  ];
  const release = ['upgrade', '--install', 'ebbflow', 'charts/ebbflow', '--namespace', SYSTEM_NAMESPACE];
  await run(cluster.binaries.helm, [...release, ...settings, '--wait', '--timeout', '120s'], {
    cwd: projectRoot,
    env: { ...process.env, ...cluster.environment() },
    timeoutMs: 150_000,
  });
  await bed.close();
}

/** A cluster that is used again has its buckets already. */
function unlessThere(error: unknown): void {
  if (!(error instanceof S3Error) || error.code !== 'BucketAlreadyOwnedByYou') throw error;
}
