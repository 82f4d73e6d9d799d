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
  /** Called while the command of a pod runs; gives its end. */
  script: (pod: ScriptedPod) => Ending;
}

export interface ScriptedPod {
  stage: string;
  attempt: number;
  uid: string;
  index: number;
  /** Workers that its Job has by now. */
  workers: number;
}

const JOBS = (namespace: string): string => `/apis/batch/v1/namespaces/${namespace}/jobs`;
const PODS = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`;
const LABEL = 'ebbflow.dev/';

const INDEX = 'batch.kubernetes.io/job-completion-index';
const indexOf = ({ metadata }: KubeObject): number => Number(metadata.annotations?.[INDEX]);

function labelsOf(template: Fields): Record<string, string> {
  const labels = fieldsOf(fieldsOf(template['metadata'])['labels']);
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}

function exitCodeOf(pod: KubeObject): number {
  const statuses: unknown = fieldsOf(fieldsOf(pod)['status'])['containerStatuses'];
  const first = fieldsOf(Array.isArray(statuses) ? statuses[0] : undefined);
  return Number(fieldsOf(fieldsOf(first['state'])['terminated'])['exitCode']);
}

/** What the Job's podFailurePolicy says to an exit code. */
function actionOn(spec: Fields, exitCode: number): unknown {
  const rules: unknown = fieldsOf(spec['podFailurePolicy'])['rules'];
  const found = (Array.isArray(rules) ? rules : []).map(fieldsOf).find((rule) => {
    const values: unknown = fieldsOf(rule['onExitCodes'])['values'];
    return Array.isArray(values) && values.includes(exitCode);
  });
  return found?.['action'];
}

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

  #workersOf(pod: KubeObject): number {
    const owner = pod.metadata.ownerReferences?.[0]?.uid;
    const job = this.#list(JOBS(this.#options.namespace)).find(({ metadata }) => metadata.uid === owner);
    return Number(fieldsOf(fieldsOf(job)['spec'])['completions'] ?? 1);
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
      if (pod.metadata.ownerReferences?.some(({ uid }) => !owners.has(uid)) === true)
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
    const end = (type: string, reason: string, message: string): void =>
      put({
        succeeded: succeeded.size,
        failed: failed.length,
        conditions: [{ type, status: 'True', reason, message, lastTransitionTime: time }],
      });
    const succeeded = new Set(pods.filter((pod) => phase(pod) === 'Succeeded').map(indexOf));
    const indexes = Array.from({ length: Number(spec['completions'] ?? 1) }, (_, index) => index);
    const perIndex = spec['backoffLimitPerIndex'];
    const spent = (index: number): boolean => {
      const own = failed.filter((pod) => indexOf(pod) === index);
      return perIndex !== undefined && (own.length > Number(perIndex) || own.some(ruled('FailIndex')));
    };
    const ruled =
      (action: string) =>
      (pod: KubeObject): boolean =>
        actionOn(spec, exitCodeOf(pod)) === action;
    const hopeless = failed.some(ruled('FailJob'));
    if (indexes.every((index) => succeeded.has(index))) end('Complete', 'CompletionsReached', '');
    else if (hopeless) end('Failed', 'PodFailurePolicy', 'an exit code says so');
    else if (perIndex === undefined && failed.length > Number(spec['backoffLimit'] ?? 6))
      end('Failed', 'BackoffLimitExceeded', 'Job has reached the specified backoff limit');
    else if (indexes.every((index) => succeeded.has(index) || spent(index)))
      end('Failed', 'FailedIndexes', 'Job has failed indexes');
    else
      for (const index of indexes) {
        const open = active.some((pod) => indexOf(pod) === index) || succeeded.has(index) || spent(index);
        if (!open) this.#createPod(job, spec, index);
      }
  }

  #createPod(job: KubeObject, spec: Fields, index: number): void {
    const { world, namespace } = this.#options;
    const template = fieldsOf(spec['template']);
    const name = `${job.metadata.name}-${index}-${randomUUID().slice(0, 5)}`;
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
        labels: labelsOf(template),
        annotations: { [INDEX]: String(index) },
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
    const names = Array.isArray(containers) ? containers.map((one) => fieldsOf(one)['name']) : [];
    const name = names.find((one) => one === 'main' || one === 'copy');
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
      index: indexOf(pod),
      workers: this.#workersOf(pod),
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
