/** The operator as a test sees and breaks it. */
import { pods } from '../../../operator/kube/resource.ts';
import type { Pod } from '../../../operator/kube/types.ts';
import type { Bed } from './bed.ts';
import { SYSTEM_NAMESPACE } from './names.ts';
import { killProcesses } from './processes.ts';

const METRICS_PORT = 8080;
const PATIENCE_MS = 120_000;

const isReady = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp === undefined &&
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

/** The operator's pod, as soon as one is ready and `isWanted`. */
export async function operatorPod(bed: Bed, isWanted: (pod: Pod) => boolean = () => true): Promise<Pod> {
  const labelSelector = 'app.kubernetes.io/name=ebbflow';
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const { items } = await bed.client.list(pods, SYSTEM_NAMESPACE, { labelSelector });
    const found = items.find((pod) => isReady(pod) && isWanted(pod));
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the operator has no ready pod');
}

const restarts = (pod: Pod): number => pod.status?.containerStatuses?.[0]?.restartCount ?? 0;

/** kill -9 of the operator's process. `replaced`: its pod goes as well, so that the kubelet's back-off does not add up. */
export async function killOperator(bed: Bed, { replaced }: { replaced: boolean }): Promise<void> {
  const pod = await operatorPod(bed);
  const { uid = '', name = '' } = pod.metadata;
  killProcesses(uid, (argv) => argv.includes('operator'));
  if (replaced)
    await bed.client.delete(pods, SYSTEM_NAMESPACE, name, {
      propagationPolicy: 'Background',
      gracePeriodSeconds: 0,
    });
  const before = restarts(pod);
  await operatorPod(bed, (next) => (replaced ? next.metadata.uid !== uid : restarts(next) > before));
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What the operator's /metrics says now. */
export async function scrape(bed: Bed): Promise<Sample[]> {
  const pod = await operatorPod(bed);
  const url = `http://${pod.status?.podIP ?? ''}:${METRICS_PORT}/metrics`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return parseSamples(await answer.text());
}

/** The text format of Prometheus, as far as prom-client writes it. */
export function parseSamples(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', list = '', value = ''] = /^([^\s{]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
      const labels = [...list.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', word = '']) => [
        key,
        word,
      ]);
      return { name, labels: Object.fromEntries(labels), value: Number(value) };
    });
}
