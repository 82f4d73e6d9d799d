/**
 * Two-stage runs one after the other through one warm node, beside the same two Jobs created by hand, in one run on one
 * bed. What counts is the time from apply to the first Job, from the last instruction of step 1 to the pod of step 2, and
 * the whole beside the whole.
 */
import { LABEL } from '../../../operator/api/names.ts';
import { jobs, pods } from '../../../operator/kube/resource.ts';
import type { Job, KubeObject, Pod } from '../../../operator/kube/types.ts';
import { type Bed, unique } from '../../support/e2e/bed.ts';
import { NAMESPACE } from '../../support/e2e/names.ts';

/** Its last instruction leaves the time, in nanoseconds, where the kubelet shows it. */
const SCRIPT = 'sleep 0.2; date +%s%N > /dev/termination-log';

interface Sample {
  /** Begin -> Job of step 1 seen, in milliseconds. */
  firstJob: number;
  /** Last instruction of step 1 -> pod of step 2 seen, in milliseconds. */
  handover: number;
  /** Begin -> end of step 2's command, in milliseconds. */
  total: number;
}

/** Follows the Jobs and pods of a selector: when each was first seen, and what a pod's command left. */
class StepWatch {
  readonly jobSeen = new Map<string, number>();
  readonly seen = new Map<string, number>();
  readonly ended = new Map<string, number>();
  readonly #stop = new AbortController();

  constructor(bed: Bed, labelSelector: string) {
    void this.#followJobs(bed, labelSelector).catch(() => undefined);
    void this.#followPods(bed, labelSelector).catch(() => undefined);
  }

  async #followJobs(bed: Bed, labelSelector: string): Promise<void> {
    const { signal } = this.#stop;
    for await (const event of bed.client.watch(jobs, NAMESPACE, { labelSelector, signal })) {
      if (event.type === 'BOOKMARK') continue;
      const step = stepOf(event.object);
      if (!this.jobSeen.has(step)) this.jobSeen.set(step, Date.now());
    }
  }

  async #followPods(bed: Bed, labelSelector: string): Promise<void> {
    for await (const event of bed.client.watch(pods, NAMESPACE, {
      labelSelector,
      signal: this.#stop.signal,
    })) {
      if (event.type === 'BOOKMARK') continue;
      const step = stepOf(event.object);
      if (!this.seen.has(step)) this.seen.set(step, Date.now());
      const left = lastWords(event.object);
      if (left !== undefined) this.ended.set(step, left);
    }
  }

  async sample(begun: number): Promise<Sample> {
    const end = Date.now() + 120_000;
    while (!this.ended.has('one') || !this.ended.has('two')) {
      if (Date.now() > end) throw new Error('the two steps did not end within two minutes');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#stop.abort();
    const [one = 0, two = 0] = [this.ended.get('one'), this.ended.get('two')];
    return {
      firstJob: (this.jobSeen.get('one') ?? Number.NaN) - begun,
      handover: (this.seen.get('two') ?? Number.NaN) - one,
      total: two - begun,
    };
  }
}

const stepOf = ({ metadata: { labels } }: KubeObject): string =>
  labels?.[LABEL.stage] ?? labels?.['step'] ?? '';

function lastWords(pod: Pod): number | undefined {
  const message = pod.status?.containerStatuses
    ?.find(({ name }) => name === 'main')
    ?.state?.terminated?.message?.trim();
  return message !== undefined && /^\d{16,}$/.test(message)
    ? Number(BigInt(message) / 1_000_000n)
    : undefined;
}

async function ebbflow(bed: Bed): Promise<Sample> {
  const name = unique('bench');
  // Of a name, because a run has its UID only when it is there: then its first Job may be there as well.
  const watch = new StepWatch(bed, `${LABEL.run}=${name}`);
  const begun = Date.now();
  await bed.apply(name, {
    stages: [bed.shell('one', SCRIPT), bed.shell('two', SCRIPT, { dependsOn: ['one'] })],
  });
  const sample = await watch.sample(begun);
  await bed.finished(name);
  await bed.delete(name);
  await bed.gone(name);
  return sample;
}

/** The same two steps as somebody with kubectl would chain them: wait for Complete, create the next. */
async function byHand(bed: Bed): Promise<Sample> {
  const set = unique('hand');
  const begun = Date.now();
  const watch = new StepWatch(bed, `set=${set}`);
  const sampling = watch.sample(begun);
  for (const step of ['one', 'two']) {
    await bed.client.create(jobs, NAMESPACE, plainJob(set, step, bed.image));
    if (step === 'one') await completed(bed, `${set}-${step}`);
  }
  const sample = await sampling;
  for (const step of ['one', 'two'])
    await bed.client.delete(jobs, NAMESPACE, `${set}-${step}`, { propagationPolicy: 'Background' });
  return sample;
}

function plainJob(set: string, step: string, image: string): Job {
  const labels = { set, step };
  const container = {
    name: 'main',
    image,
    command: ['sh', '-c', SCRIPT],
    resources: { requests: { cpu: '100m', memory: '128Mi' } },
  };
  return {
    metadata: { name: `${set}-${step}`, namespace: NAMESPACE, labels },
    spec: {
      backoffLimit: 0,
      template: { metadata: { labels }, spec: { restartPolicy: 'Never', containers: [container] } },
    },
  };
}

async function completed(bed: Bed, name: string): Promise<void> {
  const fieldSelector = `metadata.name=${name}`;
  for await (const event of bed.client.watch(jobs, NAMESPACE, {
    fieldSelector,
    signal: AbortSignal.timeout(120_000),
  })) {
    if (event.type === 'BOOKMARK') continue;
    if (
      event.object.status?.conditions?.some(
        ({ type, status }) => type === 'Complete' && status === 'True',
      ) === true
    )
      return;
  }
  throw new Error(`the watch of Job ${name} ended before the Job`);
}

const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN;

const median = (samples: readonly Sample[], field: keyof Sample): number =>
  quantile(
    samples.map((sample) => sample[field]),
    0.5,
  );

export interface HandoverRow {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ms' | 'ratio';
  readonly target?: string;
  readonly holds?: boolean;
}

/** Says each pair of runs as it ends. */
export async function measureHandover(
  bed: Bed,
  runs: number,
  say: (line: string) => void,
): Promise<HandoverRow[]> {
  const ours: Sample[] = [];
  const hand: Sample[] = [];
  for (let run = 0; run < runs; run += 1) {
    // In turn, so that whatever else the machine does meets both.
    ours.push(await ebbflow(bed));
    hand.push(await byHand(bed));
    say(
      `${run + 1}: Ebbflow ${ours.at(-1)?.handover} ms of ${ours.at(-1)?.total}; by hand ${hand.at(-1)?.handover} ms of ${hand.at(-1)?.total}`,
    );
  }
  const total = median(ours, 'total') / median(hand, 'total');
  return [
    {
      name: 'apply to the first Job, p50',
      value: median(ours, 'firstJob'),
      unit: 'ms',
      target: '<= 100',
      holds: median(ours, 'firstJob') <= 100,
    },
    {
      name: 'last instruction of a step to the pod of the next, p50',
      value: median(ours, 'handover'),
      unit: 'ms',
      target: '<= 300',
      holds: median(ours, 'handover') <= 300,
    },
    { name: 'the same, by hand', value: median(hand, 'handover'), unit: 'ms' },
    {
      name: 'two-stage run beside two Jobs by hand, p50',
      value: Math.round(total * 100) / 100,
      unit: 'ratio',
      target: '<= 1.1',
      holds: total <= 1.1,
    },
  ];
}
