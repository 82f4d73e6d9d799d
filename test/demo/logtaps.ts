import { z } from 'zod';
import { LABEL } from '../../operator/api/names.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import type { DeepReadonly, Pod } from '../../operator/kube/types.ts';
import { workerIndex } from '../../operator/pipelinerun/podfacts.ts';
import { CONTAINERS } from '../../workers/contract/environment.ts';
import type { Progress } from './live.ts';

/** Milliseconds between two tries to open a log that did not open. */
const pause = 500;
const tries = 20;

const copyLine = z.object({ msg: z.literal('progress'), done: z.number(), total: z.number() });
const planLine = z.object({ msg: z.literal('plan'), rows: z.number() });
const anyLine = z.object({ msg: z.string() });

function parseJson(line: string): unknown {
  try {
    return line.startsWith('{') ? JSON.parse(line) : undefined;
  } catch {
    return undefined;
  }
}

/** How far a worker is, where its line says so: `epoch 3/40` of a training, plan and progress of a copy. */
export function readProgress(line: string): Progress | undefined {
  const [, done, total] = /\bepoch (\d+)\/(\d+)\b/.exec(line) ?? [];
  if (done !== undefined && total !== undefined)
    return { done: Number(done), total: Number(total), unit: 'epochs' };
  const said = parseJson(line);
  const copied = copyLine.safeParse(said).data;
  if (copied !== undefined) return { done: copied.done, total: copied.total, unit: 'objects' };
  const plan = planLine.safeParse(said).data;
  return plan === undefined ? undefined : { done: 0, total: plan.rows, unit: 'objects' };
}

/** A line for people: of a structured one, its message. */
export function plainWords(line: string): string {
  return anyLine.safeParse(parseJson(line)).data?.msg ?? line;
}

/** Time (milliseconds) and words of a line of a log with timestamps; undefined for anything else. */
export function splitStamp(line: string): { at: number; words: string } | undefined {
  const space = line.indexOf(' ');
  const at = Date.parse(line.slice(0, Math.max(space, 0)));
  return Number.isNaN(at) ? undefined : { at, words: line.slice(space + 1) };
}

/** Follows the log of every worker as it is written: for the live view, and to know when the first line came. */
export class LogTaps {
  readonly progress = new Map<string, Progress>();
  readonly lastLines = new Map<string, string>();
  readonly #client: Pick<KubeClient, 'podLog'>;
  readonly #changed: () => void;
  readonly #followed = new Set<string>();
  /** By stage, then by worker. */
  readonly #done = new Map<string, Map<number, number>>();
  #firstLineAt: number | undefined;

  constructor(client: Pick<KubeClient, 'podLog'>, changed: () => void) {
    this.#client = client;
    this.#changed = changed;
  }

  /** Time of the first line that any worker wrote, by the clock of its node. */
  get firstLineAt(): number | undefined {
    return this.#firstLineAt;
  }

  /** Starts following a pod whose worker has started, once. */
  look(pod: DeepReadonly<Pod>, signal: AbortSignal): void {
    const uid = pod.metadata.uid ?? '';
    const worker = pod.status?.containerStatuses?.find(
      ({ name }) => name === CONTAINERS.copy || name === CONTAINERS.main,
    );
    const started = worker?.state?.running !== undefined || worker?.state?.terminated !== undefined;
    if (worker === undefined || !started || this.#followed.has(uid)) return;
    this.#followed.add(uid);
    void this.#follow(pod, worker.name, signal);
  }

  async #follow(pod: DeepReadonly<Pod>, container: string, signal: AbortSignal): Promise<void> {
    const { namespace = '', name = '', labels } = pod.metadata;
    const stage = labels?.[LABEL.stage] ?? '';
    for (let attempt = 0; attempt < tries && !signal.aborted; attempt++) {
      try {
        const log = this.#client.podLog({ namespace, pod: name, container, follow: true, signal });
        let rest = '';
        const decoder = new TextDecoder();
        for await (const bytes of log) {
          const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) this.#take(stage, workerIndex(pod), line);
        }
        return;
      } catch {
        // The view is only a view: a log that cannot be had (any more) is left out of it.
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  #take(stage: string, worker: number, line: string): void {
    const stamped = splitStamp(line);
    if (stamped === undefined) return;
    this.#firstLineAt = Math.min(this.#firstLineAt ?? stamped.at, stamped.at);
    this.lastLines.set(stage, plainWords(stamped.words));
    const progress = readProgress(stamped.words);
    if (progress !== undefined) this.#note(stage, worker, progress, stamped.at);
    this.#changed();
  }

  /** What all workers of the stage have done, of what its plan says there is. */
  #note(stage: string, worker: number, said: Progress, at: number): void {
    const known = this.progress.get(stage);
    const same = known?.unit === said.unit ? known : undefined;
    const workers = (same && this.#done.get(stage)) ?? new Map<number, number>();
    this.#done.set(stage, workers.set(worker, said.done));
    const done = [...workers.values()].reduce((sum, each) => sum + each, 0);
    const { since = at, first = done } = same ?? {};
    this.progress.set(stage, { ...said, done, total: Math.max(same?.total ?? 0, said.total), since, first });
  }
}
