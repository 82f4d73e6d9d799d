/**
 * The Job controller, the kubelets and the garbage collector, as far as runs can tell: a simulation that acts on the
 * world of the loopback API server, one step at a time, and whose pods do what a script says.
 */
import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../../../operator/kube/types.ts';
import type { World } from '../fakeapi/world.ts';
import { fieldsOf, isTrue, type Fields } from './fields.ts';

/** How the command of a pod ends; `hang` runs until its Job is suspended or deleted, `deleted` until somebody deletes it now. */
export type Ending = { exitCode: number; message?: string } | 'hang' | 'deleted';

export interface SimulationOptions {
  world: World;
  namespace: string;
  now: () => Date;
  /** Called when the command of a pod starts; gives its end. */
  script: (pod: { stage: string; attempt: number; uid: string }) => Ending;
}

const JOBS = (namespace: string): string => `/apis/batch/v1/namespaces/${namespace}/jobs`;
const PODS = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`;
const LABEL = 'ebbflow.dev/';

export class Simulation {
  readonly #options: SimulationOptions;
  /** Every Job that was ever created, by name: a second one of a name would be a doubled execution. */
  readonly created: string[] = [];

  constructor(options: SimulationOptions) {
    this.#options = options;
    const seen = new Set<string>();
    options.world.onChange(() => {
      for (const job of this.#list(JOBS(options.namespace))) {
        const uid = job.metadata.uid ?? '';
        if (!seen.has(uid)) this.created.push(job.metadata.name ?? '');
        seen.add(uid);
      }
    });
  }

  /** Every object of a kind moves on by at most one step. */
  step(): void {
    this.#collectGarbage();
    for (const job of this.#list(JOBS(this.#options.namespace))) this.#control(job);
    for (const pod of this.#list(PODS(this.#options.namespace))) this.#work(pod);
  }

  #list(path: string): KubeObject[] {
    return this.#options.world.list(path);
  }

  #podsOf(job: KubeObject): KubeObject[] {
    return this.#list(PODS(this.#options.namespace)).filter(
      (pod) => pod.metadata.ownerReferences?.[0]?.uid === job.metadata.uid,
    );
  }

  /** Pods whose Job is gone go too. */
  #collectGarbage(): void {
    const { world, namespace } = this.#options;
    const owners = new Set(this.#list(JOBS(namespace)).map((job) => job.metadata.uid));
    for (const pod of this.#list(PODS(namespace)))
      if (!owners.has(pod.metadata.ownerReferences?.[0]?.uid))
        world.delete(`${PODS(namespace)}/${pod.metadata.name}`);
  }

  #control(job: KubeObject): void {
    const { world, namespace, now } = this.#options;
    const spec = fieldsOf(fieldsOf(job)['spec']);
    const status = fieldsOf(fieldsOf(job)['status']);
    if (isTrue(status, 'Complete') || isTrue(status, 'Failed')) return;
    const pods = this.#podsOf(job);
    const phase = (pod: KubeObject): unknown => fieldsOf(fieldsOf(pod)['status'])['phase'];
    const active = pods.filter((pod) => phase(pod) === 'Pending' || phase(pod) === 'Running');
    const failed = pods.filter((pod) => phase(pod) === 'Failed');
    const path = `${JOBS(namespace)}/${job.metadata.name}`;
    const put = (next: Fields): void =>
      void world.put(path, Object.assign({}, job, { status: { ...status, ...next } }));
    if (spec['suspend'] === true) {
      for (const pod of active) world.delete(`${PODS(namespace)}/${pod.metadata.name}`);
      return;
    }
    const time = now().toISOString();
    if (pods.some((pod) => phase(pod) === 'Succeeded'))
      put({ succeeded: 1, conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: time }] });
    else if (failed.length > Number(spec['backoffLimit'] ?? 6))
      put({
        failed: failed.length,
        conditions: [
          {
            type: 'Failed',
            status: 'True',
            reason: 'BackoffLimitExceeded',
            message: 'Job has reached the specified backoff limit',
            lastTransitionTime: time,
          },
        ],
      });
    else if (active.length === 0) this.#createPod(job, spec);
  }

  #createPod(job: KubeObject, spec: Fields): void {
    const { world, namespace } = this.#options;
    const template = fieldsOf(spec['template']);
    const name = `${job.metadata.name}-0-${randomUUID().slice(0, 5)}`;
    const owner = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      name: job.metadata.name ?? '',
      uid: job.metadata.uid ?? '',
      controller: true,
    };
    const pod = {
      metadata: {
        name,
        namespace,
        labels: { ...job.metadata.labels },
        annotations: { 'batch.kubernetes.io/job-completion-index': '0' },
        ownerReferences: [owner],
      },
      spec: template['spec'],
      status: { phase: 'Pending', conditions: [] },
    };
    world.put(`${PODS(namespace)}/${name}`, pod);
  }

  /** Pending -> scheduled and running -> ended, as the script says. */
  #work(pod: KubeObject): void {
    const { world, namespace, now, script } = this.#options;
    const status = fieldsOf(fieldsOf(pod)['status']);
    const spec = fieldsOf(fieldsOf(pod)['spec']);
    const path = `${PODS(namespace)}/${pod.metadata.name}`;
    const time = now().toISOString();
    const containers: unknown = spec['containers'];
    const name = fieldsOf(Array.isArray(containers) ? containers[0] : undefined)['name'];
    const put = (nodeName: string, next: Fields): void =>
      void world.put(
        path,
        Object.assign({}, pod, { spec: { ...spec, nodeName }, status: { ...status, ...next } }),
      );
    if (status['phase'] === 'Pending') {
      const conditions = [{ type: 'PodScheduled', status: 'True', lastTransitionTime: time }];
      put('node-a', {
        phase: 'Running',
        conditions,
        containerStatuses: [{ name, state: { running: { startedAt: time } } }],
      });
      return;
    }
    if (status['phase'] !== 'Running') return;
    const labels = pod.metadata.labels ?? {};
    const ending = script({
      stage: labels[`${LABEL}stage`] ?? '',
      attempt: Number(labels[`${LABEL}attempt`]),
      uid: pod.metadata.uid ?? '',
    });
    if (ending === 'hang') return;
    if (ending === 'deleted') {
      world.delete(`${JOBS(namespace)}/${pod.metadata.ownerReferences?.[0]?.name ?? ''}`);
      return;
    }
    const terminated = {
      exitCode: ending.exitCode,
      reason: ending.exitCode === 0 ? 'Completed' : 'Error',
      startedAt: time,
      finishedAt: time,
      message: ending.message,
    };
    put('node-a', {
      phase: ending.exitCode === 0 ? 'Succeeded' : 'Failed',
      containerStatuses: [{ name, state: { terminated } }],
    });
  }
}
