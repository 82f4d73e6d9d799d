/** What every effect on the cluster needs, and the deletion that all kinds of objects share. */
import type { PipelineRun } from '../api/types.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import type { Resource } from '../kube/resource.ts';
import type { KubeObject } from '../kube/types.ts';
import type { PodSettings } from '../stages/settings.ts';

export interface ApplyDeps {
  client: KubeClient;
  pods: PodSettings;
  now: () => Date;
  /** Called after each write, so that the next reconcile waits until the caches have seen it. */
  wrote: (resource: Resource, resourceVersion: string | undefined) => void;
  /** By the UID of a run: UIDs of its Jobs that this process has deleted. */
  deleted: Map<string, Set<string>>;
  /** The pod gets nothing from the worker API any more. */
  fence: (podUID: string) => void;
}

/** Something of the run still exists; the reconcile is to come back. */
export class StillThere extends Error {
  override readonly name = 'StillThere';
  readonly code = 'STILL_THERE';
}

/** Deletes the object, if it is still that one. What it owns goes in the background. */
export async function deleteObject<T extends KubeObject>(
  resource: Resource<T>,
  name: string,
  { uid, gracePeriodSeconds }: { uid: string; gracePeriodSeconds?: number },
  run: PipelineRun,
  { client }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
  const options = { propagationPolicy: 'Background' as const, preconditions: { uid }, ...grace, signal };
  try {
    await client.delete(resource, run.metadata.namespace, name, options);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
