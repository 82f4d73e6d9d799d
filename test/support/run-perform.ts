/**
 * Two lanes side by side, in each of them one step after the other. Whole runs promise things within seconds, and on two
 * cores they could not keep that beside equals: the other lane has the processor time that theirs leaves. Where that
 * cannot be arranged there is one lane.
 */
import type { Background } from '../cluster/background.ts';
import type { ClusterKind, SharedCluster } from './run-cluster.ts';
import type { Step } from './run-steps.ts';
import { failOnce, lastLine, type Tally } from './run-tally.ts';

export interface StepResult {
  readonly step: string;
  readonly seconds: number;
  readonly tally: Tally;
}

export interface PerformOptions {
  readonly clusters: ReadonlyMap<ClusterKind, Promise<SharedCluster>>;
  readonly background: Background | undefined;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** Told that no step needs this cluster any more. */
  readonly onUnneeded: (cluster: ClusterKind) => Promise<void>;
  /** Told the result of each step as it ends. */
  readonly onResult: (result: StepResult) => void;
}

export async function performSteps(steps: readonly Step[], options: PerformOptions): Promise<void> {
  const lanes = options.background ? [...Map.groupBy(steps, isWholeRuns).values()] : [steps];
  await Promise.all(
    lanes.map(async (lane) => {
      for (const step of lane) await perform(step, options);
      for (const cluster of new Set(lane.flatMap((step) => step.cluster ?? [])))
        await options.onUnneeded(cluster);
    }),
  );
}

function isWholeRuns({ cluster }: Step): boolean {
  return cluster === 'nodes';
}

async function perform(step: Step, options: PerformOptions): Promise<void> {
  const { clusters, background, signal, say, onResult } = options;
  if (signal.aborted) return;
  const cluster = step.cluster && clusters.get(step.cluster);
  const waited = performance.now();
  let clusterEnvironment: SharedCluster['environment'] = {};
  let start = performance.now();
  let tally: Tally;
  try {
    if (cluster) {
      clusterEnvironment = (await untilInterrupted(cluster, signal)).environment;
      say(`  [${step.name}] its cluster is usable; waited ${secondsSince(waited)} s for it`);
    }
    say(`=== ${step.name} ===`);
    start = performance.now();
    tally = await step.run({
      signal,
      say: (line) => say(`  [${step.name}] ${line}`),
      cgroup: isWholeRuns(step) ? undefined : background?.membership,
      clusterEnvironment,
    });
  } catch (error) {
    tally = failOnce(step.name, error instanceof Error ? error.message : String(error));
  }
  const seconds = secondsSince(start);
  onResult({ step: step.name, seconds, tally });
  say(`--- ${step.name}: ${lastLine(tally)}, ${seconds} s`);
}

/** A set-up that is under way cannot be stopped, but it need not be waited for: it ends with this process. */
export function untilInterrupted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const gaveUp = Promise.withResolvers<never>();
  const onAbort = (): void => void setTimeout(() => gaveUp.reject(new Error('interrupted')), 5_000);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, gaveUp.promise]);
}

/** To a tenth of a second. */
export function secondsSince(start: number): number {
  return Math.round((performance.now() - start) / 100) / 10;
}
