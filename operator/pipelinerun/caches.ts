/** What the operator keeps of the cluster: runs, their Jobs and pods, and every Node. */
import type { PipelineRun } from '../api/types.ts';
import { KIND, LABEL, MANAGED_BY } from '../api/names.ts';
import { Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import { jobs as jobResource, nodes as nodeResource, pods as podResource } from '../kube/resource.ts';
import { Store } from '../kube/store.ts';
import type { DeepReadonly, Job, KubeObject, Node, OwnerReference, Pod } from '../kube/types.ts';
import { controllerOf } from '../kube/owners.ts';
import { placeOf } from './ours.ts';
import { type PipelineRunObject, pipelineRuns } from './resource.ts';

export type RunCachesOptions = Pick<ReflectorOptions<KubeObject>, 'client' | 'clock' | 'logger' | 'metrics'>;

export class RunCaches {
  readonly runs: Store<PipelineRunObject>;
  readonly jobs: Store<Job>;
  readonly pods: Store<Pod>;
  readonly nodes: Store<Node>;
  readonly #options: RunCachesOptions;

  constructor(options: RunCachesOptions) {
    const { logger, metrics } = options;
    this.#options = options;
    this.runs = new Store({
      resource: pipelineRuns,
      logger,
      metrics,
      indexes: { uid: (run) => [run.metadata.uid] },
    });
    this.jobs = new Store({ resource: jobResource, logger, metrics });
    this.pods = new Store({
      resource: podResource,
      logger,
      metrics,
      indexes: {
        run: (pod) => [labelOf(pod)].filter((uid) => uid !== undefined),
        stray: (pod) => (isStray(pod) ? [pod.metadata.namespace ?? ''] : []),
      },
    });
    this.nodes = new Store({ resource: nodeResource, logger, metrics });
  }

  /** The run of that UID. */
  runByUID(uid: string): DeepReadonly<PipelineRunObject> | undefined {
    return this.runs.byIndex('uid', uid)[0];
  }

  /** UID of the run of a Job or pod: by its owners; where they are not known by its name, else by its label, which anybody may change. */
  runUIDOf(object: DeepReadonly<Job | Pod>): string | undefined {
    const controller = controllerOf(object);
    const job = controller?.kind === 'Job' ? this.#jobOf(object, controller) : undefined;
    // One step and no more: anybody can write owners that lead back to where they began.
    const run = job ? controllerOf(job) : controller;
    if (run?.kind === KIND) return run.uid;
    const named = isStray(object) ? this.runs.list().find((one) => placeOf(object, one)) : undefined;
    return named?.metadata.uid ?? labelOf(object);
  }

  #jobOf(
    { metadata: { namespace } }: DeepReadonly<KubeObject>,
    { name, uid }: DeepReadonly<OwnerReference>,
  ): DeepReadonly<Job> | undefined {
    const job = this.jobs.get(`${namespace}/${name}`);
    return job?.metadata.uid === uid ? job : undefined;
  }

  /** Whether the caches are complete. */
  get hasSynced(): boolean {
    return this.#stores.every((store) => store.hasSynced);
  }

  /** Waits until the caches are complete, or the signal aborts. */
  async synced(signal: AbortSignal): Promise<void> {
    await Promise.race([Promise.all(this.#stores.map((store) => store.synced)), aborted(signal)]);
  }

  /** Follows the cluster until the signal aborts; resolves when nothing is going on any more. */
  async follow(signal: AbortSignal): Promise<void> {
    const ours = { labelSelector: `${LABEL.managedBy}=${MANAGED_BY}` };
    const common = this.#options;
    const reflectors = [
      new Reflector({ ...common, resource: pipelineRuns, store: this.runs }),
      new Reflector({ ...common, resource: jobResource, store: this.jobs, ...ours }),
      new Reflector({ ...common, resource: podResource, store: this.pods, ...ours }),
      new Reflector({ ...common, resource: nodeResource, store: this.nodes, transform: trimNode }),
    ];
    await Promise.all(reflectors.map((reflector) => reflector.run(signal)));
  }

  get #stores(): readonly Pick<Store<KubeObject>, 'hasSynced' | 'synced'>[] {
    return [this.runs, this.jobs, this.pods, this.nodes];
  }
}

/**
 * Pods that may be a run's: with its label, and those of its namespace, never many, that only their names can tell.
 * Which of them are the run's, `placeOf` says.
 */
export function podsNear(
  pods: Store<Pod>,
  { namespace, uid }: PipelineRun['metadata'],
): ReadonlySet<DeepReadonly<Pod>> {
  return new Set([...pods.byIndex('run', uid), ...pods.byIndex('stray', namespace)]);
}

/** Without the label of its run, or without an owner: what it belongs to, its name says. */
function isStray(object: DeepReadonly<KubeObject>): boolean {
  return labelOf(object) === undefined || controllerOf(object) === undefined;
}

/** UID of the run that a Job or pod says it belongs to. */
function labelOf(object: DeepReadonly<KubeObject>): string | undefined {
  return object.metadata.labels?.[LABEL.runUID];
}

/** A Node's list of images is most of it and of no use here. */
function trimNode({ metadata, spec, status }: Node): Node {
  const trimmed: Node = { metadata };
  if (spec?.taints) trimmed.spec = { taints: spec.taints };
  if (status?.conditions) trimmed.status = { conditions: status.conditions };
  return trimmed;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
