/** Pods and their logs, as a kubelet would serve them: whole seconds in sinceTime, streams that may break anywhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodLogOptions } from '../../../operator/kube/client.ts';
import { KubeError } from '../../../operator/kube/errors.ts';
import type { Pod } from '../../../operator/kube/types.ts';
import type { AttemptRef } from '../../../operator/results/types.ts';

export interface FakeLine {
  time: string;
  bytes: Buffer;
}

/** The `n`-th time of a log that writes a line every `stepMs`. */
export function timeOf(n: number, stepMs = 50): string {
  return new Date(Date.UTC(2026, 0, 1) + n * stepMs).toISOString().replace('Z', '000000Z');
}

export function textLines(count: number, stepMs = 50): FakeLine[] {
  return Array.from({ length: count }, (_, n) => ({
    time: timeOf(n, stepMs),
    bytes: Buffer.from(`line ${n}`),
  }));
}

export class FakeContainerLog {
  lines: FakeLine[] = [];
  /** The last line has no newline. */
  unterminated = false;
  ended = false;
  removed = false;
  /** Asked for each stream: how it goes wrong. */
  fault: ((nth: number) => 'reset' | 'early-end' | 'sentence' | 'stall' | undefined) | undefined;
  reads: PodLogOptions[] = [];
  /** How long the kubelet takes to begin an answer, in milliseconds; who does not wait for it gets nothing. */
  answerMs = 0;
  /** Bytes per piece that is served. */
  pieceBytes = 64 * 1024;

  body(sinceTime?: string): Buffer {
    const lines = this.lines.filter(
      ({ time }) => sinceTime === undefined || time.slice(0, 19) >= sinceTime.slice(0, 19),
    );
    const parts = lines.map(({ time, bytes }) =>
      Buffer.concat([Buffer.from(`${time} `), bytes, Buffer.from('\n')]),
    );
    const whole = Buffer.concat(parts);
    return this.unterminated && whole.length > 0 ? whole.subarray(0, -1) : whole;
  }

  async *read(options: PodLogOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const nth = this.reads.length;
    this.reads.push(options);
    if (this.removed) throw new KubeError({ status: 404, reason: 'NotFound', message: 'pods not found' });
    const fault = this.fault?.(nth);
    if (this.answerMs > 0)
      await sleep(this.answerMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
    if (fault === 'sentence') {
      yield Buffer.from('unable to retrieve container logs for containerd://1234');
      return;
    }
    let sent = 0;
    for (;;) {
      options.signal?.throwIfAborted();
      const body = this.body(options.sinceTime);
      const stop = fault === undefined ? body.length : Math.floor(body.length / 2);
      while (sent < stop) {
        const piece = body.subarray(sent, Math.min(stop, sent + this.pieceBytes));
        sent += piece.length;
        yield piece;
      }
      if (fault === 'reset') throw new Error('the connection was reset');
      if (fault === 'early-end') return;
      if (options.follow !== true || (this.ended && fault !== 'stall')) return;
      await sleep(2, undefined, options.signal === undefined ? {} : { signal: options.signal });
    }
  }
}

const UID = '5e5c0a5e-0000-4000-8000-';
export const uid = (n: number): string => `${UID}${String(n).padStart(12, '0')}`;

export function attemptRef(overrides: Partial<AttemptRef> = {}): AttemptRef {
  return {
    runUID: uid(1),
    run: 'nightly',
    namespace: 'team',
    stage: 'train',
    kind: 'train',
    index: 0,
    attempt: 1,
    podUID: uid(100),
    podName: 'nightly-train-1-abc-0-xyz',
    nodeName: 'node-1',
    ...overrides,
  };
}

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** A pod with the given containers, each running or ended with an exit code. */
export function podOf(
  ref: AttemptRef,
  phase: Phase,
  containers: Record<string, 'waiting' | 'running' | number>,
): Pod {
  return {
    metadata: { name: ref.podName, namespace: ref.namespace, uid: ref.podUID },
    spec: { containers: Object.keys(containers).map((name) => ({ name, image: 'x' })) },
    status: {
      phase,
      containerStatuses: Object.entries(containers).map(([name, state]) => ({
        name,
        image: 'x',
        imageID: 'x',
        ready: state === 'running',
        restartCount: 0,
        state:
          state === 'waiting'
            ? { waiting: { reason: 'ContainerCreating' } }
            : state === 'running'
              ? { running: { startedAt: timeOf(0) } }
              : {
                  terminated: {
                    exitCode: state,
                    containerID: `containerd://${name}`,
                    reason: state === 0 ? 'Completed' : 'Error',
                  },
                },
      })),
    },
  };
}
