import { LABEL } from '../../operator/api/names.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { Reflector } from '../../operator/kube/reflector.ts';
import { jobs, nodes, pods, type Resource } from '../../operator/kube/resource.ts';
import { Store } from '../../operator/kube/store.ts';
import type { DeepReadonly, Job, KubeObject, Node, Pod } from '../../operator/kube/types.ts';
import { type PipelineRunObject, pipelineRuns } from '../../operator/pipelinerun/resource.ts';
import type { LiveView, SeenNode } from './live.ts';
import { LogTaps } from './logtaps.ts';

/** The pool's Nodes, told from the system node by the label that the NodePool puts on them. */
const workerSelector = 'ebbflow.dev/pool=burst';

/**
 * The demo's own eyes: watches of the run, its Jobs and pods, and the worker nodes. Nothing of it goes through the
 * operator but the run's status, so that the figures of the receipt have an independent witness.
 */
export class RunWatch {
  readonly taps: LogTaps;
  readonly #client: KubeClient;
  readonly #runs = new Store<PipelineRunObject>({ resource: pipelineRuns });
  readonly #jobs = new Store<Job>({ resource: jobs });
  readonly #pods = new Store<Pod>({ resource: pods });
  readonly #nodes = new Store<Node>({ resource: nodes });
  readonly #seen = new Map<string, SeenNode>();
  readonly #where: { readonly namespace: string; readonly name: string };
  readonly #listeners = new Set<() => void>();
  #childGoneAt: number | undefined;
  #lastExitAt: number | undefined;

  constructor(client: KubeClient, where: { namespace: string; name: string }) {
    this.#client = client;
    this.#where = where;
    this.taps = new LogTaps(client, () => this.#changed());
  }

  /** Resolves once every watch has its first list; they go on until the signal. */
  async start(signal: AbortSignal): Promise<void> {
    this.#nodes.addHandler({
      added: (node) => this.#see(node),
      modified: (node) => this.#see(node),
      deleted: (node) => this.#lose(node),
    });
    this.#pods.addHandler({
      added: (pod) => this.#look(pod, signal),
      modified: (pod) => this.#look(pod, signal),
      deleted: (pod) => this.#loseChild(pod),
    });
    this.#jobs.addHandler({ deleted: (job) => this.#loseChild(job) });
    const follow = <T extends KubeObject>(
      resource: Resource<T>,
      store: Store<T>,
      scope: { namespace?: string; labelSelector?: string; fieldSelector?: string },
    ): Promise<void> => {
      store.onAdvance(() => this.#changed());
      void new Reflector<T>({ client: this.#client, resource, store, ...scope }).run(signal);
      return store.synced;
    };
    const { namespace, name } = this.#where;
    await Promise.all([
      follow(pipelineRuns, this.#runs, { namespace, fieldSelector: `metadata.name=${name}` }),
      follow(jobs, this.#jobs, { labelSelector: LABEL.runUID }),
      follow(pods, this.#pods, { labelSelector: LABEL.runUID }),
      follow(nodes, this.#nodes, { labelSelector: workerSelector }),
    ]);
  }

  get run(): DeepReadonly<PipelineRunObject> | undefined {
    return this.#runs.list()[0];
  }

  /** Every worker node since the start, with those that are gone. */
  get seenNodes(): readonly SeenNode[] {
    return [...this.#seen.values()];
  }

  /** When the last Job or pod of the run was seen to go; undefined while there is one. */
  get childrenGoneAt(): number | undefined {
    return this.#jobs.size + this.#pods.size === 0 ? this.#childGoneAt : undefined;
  }

  /** When the last container ended, as its kubelet says (whole seconds). */
  get lastExitAt(): number | undefined {
    return this.#lastExitAt;
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Resolves as soon as the condition holds, or with false after the time. Rejects when the signal aborts. */
  until(holds: () => boolean, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        this.#listeners.delete(check);
        settle();
      };
      const abort = (): void => end(() => reject(new Error('interrupted')));
      const check = (): void => {
        if (holds()) end(() => resolve(true));
      };
      const timer = setTimeout(() => end(() => resolve(false)), timeoutMs);
      signal.addEventListener('abort', abort);
      this.#listeners.add(check);
      if (signal.aborted) abort();
      else check();
    });
  }

  view(appliedAt: number): LiveView {
    const status = this.run?.status;
    return {
      name: this.#where.name,
      appliedAt,
      doing: status?.summary?.message ?? '',
      stages: status?.stages ?? [],
      // Copies: a view must not change after it was shown, or the next one would differ in nothing.
      progress: new Map(this.taps.progress),
      lastLines: new Map(this.taps.lastLines),
      nodes: this.seenNodes,
      jobs: this.#jobs.size,
      pods: this.#pods.size,
      conditions: new Map((status?.conditions ?? []).map((condition) => [condition.type, condition])),
    };
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #see(node: DeepReadonly<Node>): void {
    const name = node.metadata.name ?? '';
    const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
    const before = this.#seen.get(name);
    const readyAt = before?.readyAt ?? (ready ? Date.now() : undefined);
    this.#seen.set(name, {
      name,
      instanceType: node.metadata.labels?.['node.kubernetes.io/instance-type'] ?? '',
      createdAt: Date.parse(node.metadata.creationTimestamp ?? new Date().toISOString()),
      ...(readyAt === undefined ? {} : { readyAt }),
    });
  }

  #lose(node: DeepReadonly<Node>): void {
    const seen = this.#seen.get(node.metadata.name ?? '');
    if (seen !== undefined) this.#seen.set(seen.name, { ...seen, goneAt: Date.now() });
  }

  #look(pod: DeepReadonly<Pod>, signal: AbortSignal): void {
    this.taps.look(pod, signal);
    for (const { state } of pod.status?.containerStatuses ?? [])
      this.#noteExit(state?.terminated?.finishedAt);
  }

  #loseChild(child: DeepReadonly<Pod | Job>): void {
    this.#childGoneAt = Date.now();
    if (child.spec !== undefined && 'containers' in child.spec) {
      const statuses = 'status' in child ? child.status : undefined;
      if (statuses !== undefined && 'containerStatuses' in statuses)
        for (const { state } of statuses.containerStatuses ?? [])
          this.#noteExit(state?.terminated?.finishedAt);
    }
  }

  #noteExit(finishedAt: string | undefined): void {
    if (finishedAt === undefined) return;
    this.#lastExitAt = Math.max(this.#lastExitAt ?? 0, Date.parse(finishedAt));
  }
}
