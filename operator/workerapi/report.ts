/** A worker says that its manifest is stored. It is believed when the operator has read it there. */
import { createHash } from 'node:crypto';
import { runPrefix, workerManifestKey } from '../../workers/contract/keys.ts';
import {
  MAX_WORKER_MANIFEST,
  type WorkerManifest,
  workerManifest,
} from '../../workers/contract/manifests.ts';
import { CallRefused } from './errors.ts';
import type { WorkerApiDeps, WorkerCaller } from './types.ts';

/** @throws CallRefused ManifestMissing, ManifestDiffers or ManifestForeign; ResultsError when the store refuses. */
export async function readReported(
  caller: WorkerCaller,
  sha256: string,
  deps: Pick<WorkerApiDeps, 'store' | 'cluster'>,
  signal: AbortSignal,
): Promise<WorkerManifest> {
  const prefix = runPrefix({ cluster: deps.cluster, namespace: caller.namespace, runUID: caller.runUID });
  const bytes = await deps.store.get(prefix + workerManifestKey(caller), {
    signal,
    limit: MAX_WORKER_MANIFEST,
  });
  if (bytes === undefined) throw new CallRefused('ManifestMissing');
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw new CallRefused('ManifestDiffers');
  const manifest = parseManifest(bytes);
  if (manifest === undefined || !isAbout(manifest, caller)) throw new CallRefused('ManifestForeign');
  return manifest;
}

function parseManifest(bytes: Buffer): WorkerManifest | undefined {
  try {
    return workerManifest.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

function isAbout({ run, stage, index, attempt, podUID }: WorkerManifest, caller: WorkerCaller): boolean {
  return (
    run.uid === caller.runUID &&
    stage === caller.stage &&
    index === caller.index &&
    attempt === caller.attempt &&
    podUID === caller.podUID
  );
}
