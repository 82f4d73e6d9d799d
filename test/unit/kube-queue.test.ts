import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Controller, type Reconcile } from '../../operator/kube/controller.ts';
import { silentLogger, type LogFields, type Logger } from '../../operator/kube/logger.ts';
import { noMetrics } from '../../operator/kube/metrics.ts';
import { WorkQueue } from '../../operator/kube/workqueue.ts';
import { ManualClock, settle } from '../support/fakeapi/manual-clock.ts';

describe('a work queue', () => {
  it('holds a key once, in order of arrival', async () => {
    const queue = new WorkQueue({ name: 'q' });
    for (const key of ['a', 'b', 'a']) queue.add(key);
    expect(queue.length).toBe(2);
    expect(await queue.take()).toBe('a');
    expect(await queue.take()).toBe('b');
    expect(queue.length).toBe(0);
  });

  it('brings a key again after done when it was added in work, and never before', async () => {
    const queue = new WorkQueue({ name: 'q' });
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.add('a');
    expect(queue.length).toBe(0);
    queue.done('a');
    expect(queue.length).toBe(1);
    expect(await queue.take()).toBe('a');
    queue.done('a');
    expect(queue.length).toBe(0);
  });

  it('adds later, the earliest time counting, and beyond an hour', async () => {
    const clock = new ManualClock();
    const queue = new WorkQueue({ name: 'q', clock });
    queue.addAfter('a', 50);
    queue.addAfter('a', 500);
    queue.addAfter('a', 20);
    await clock.advance(19);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(queue.length).toBe(1);
    await clock.advance(1_000);
    expect(clock.pending).toBe(0);

    queue.addAfter('far', 100 * 86_400_000);
    await clock.advance(100 * 86_400_000 - 1);
    expect(queue.length).toBe(1);
    await clock.advance(1);
    expect(queue.length).toBe(2);
    queue.addAfter('now', 0);
    queue.addAfter('odd', Number.NaN);
    expect(queue.length).toBe(4);
  });

  it('doubles the delay of one key until it is forgotten', async () => {
    const clock = new ManualClock();
    const queue = new WorkQueue({ name: 'q', clock, baseDelayMs: 10, maxDelayMs: 60 });
    for (const expected of [10, 20, 40, 60, 60]) {
      queue.addRateLimited('a');
      await clock.advance(expected - 1);
      expect(queue.length).toBe(0);
      await clock.advance(1);
      expect(await queue.take()).toBe('a');
      queue.done('a');
    }
    expect(queue.retries('a')).toBe(5);
    queue.forget('a');
    expect(queue.retries('a')).toBe(0);
    queue.addRateLimited('a');
    await clock.advance(10);
    expect(queue.length).toBe(1);
  });

  it('shuts down: waiting takers end, timers are gone, and it drains', async () => {
    const clock = new ManualClock();
    const queue = new WorkQueue({ name: 'q', clock });
    queue.add('a');
    await queue.take();
    const taker = queue.take();
    queue.addAfter('b', 10);
    const drained = vi.fn<() => void>();
    const down = queue.shutDown().then(drained);
    expect(await taker).toBeUndefined();
    expect(clock.pending).toBe(0);
    queue.add('c');
    expect(await queue.take()).toBeUndefined();
    await settle();
    expect(drained).not.toHaveBeenCalled();
    queue.done('a');
    await down;
    expect(drained).toHaveBeenCalledTimes(1);
  });

  it('loses no key and never gives one out twice at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('add', 'take', 'done'), fc.constantFrom('a', 'b', 'c')), {
          maxLength: 60,
        }),
        async (steps) => {
          const queue = new WorkQueue({ name: 'q' });
          const working = new Set<string>();
          const owed = new Set<string>();
          let twice = false;
          for (const [action, key] of steps) {
            if (action === 'add') {
              queue.add(key);
              owed.add(key);
            } else if (action === 'done' && working.delete(key)) {
              queue.done(key);
            } else if (action === 'take' && queue.length > 0) {
              const taken = (await queue.take()) ?? '';
              twice ||= working.has(taken);
              working.add(taken);
              owed.delete(taken);
            }
          }
          for (const key of working) queue.done(key);
          while (queue.length > 0) owed.delete((await queue.take()) ?? '');
          expect(owed).toEqual(new Set());
          expect(twice).toBe(false);
        },
      ),
    );
  });

  it('reports depth, adds, waits and work', async () => {
    const clock = new ManualClock();
    const metrics = {
      ...noMetrics,
      queueDepth: vi.fn<(queue: string, depth: number) => void>(),
      queueAdd: vi.fn<(queue: string) => void>(),
      queueWait: vi.fn<(queue: string, seconds: number) => void>(),
      queueWork: vi.fn<(queue: string, seconds: number) => void>(),
    };
    const queue = new WorkQueue({ name: 'q', clock, metrics });
    queue.add('a');
    await clock.advance(2_000);
    await queue.take();
    await clock.advance(3_000);
    queue.done('a');
    expect(metrics.queueAdd).toHaveBeenCalledExactlyOnceWith('q');
    expect(metrics.queueWait).toHaveBeenCalledExactlyOnceWith('q', 2);
    expect(metrics.queueWork).toHaveBeenCalledExactlyOnceWith('q', 3);
    expect(metrics.queueDepth.mock.calls.map(([, depth]) => depth)).toEqual([1, 0]);
  });
});

describe('a controller', () => {
  const run = (reconcile: Reconcile, workers = 1) => {
    const clock = new ManualClock();
    const queue = new WorkQueue({ name: 'q', clock, baseDelayMs: 10 });
    const results: string[] = [];
    const metrics = {
      ...noMetrics,
      reconcile: (_name: string, result: string) => void results.push(result),
    };
    const stop = new AbortController();
    const logged: LogFields[] = [];
    const logger: Logger = {
      ...silentLogger,
      child: (fields) => {
        logged.push(fields);
        return logger;
      },
    };
    const controller = new Controller({ name: 'c', queue, reconcile, workers, metrics, clock, logger });
    const running = controller.run(stop.signal);
    return { clock, queue, results, stop, running, logged };
  };

  it('works on as many keys at once as it has workers, never twice on one', async () => {
    const working = new Set<string>();
    let most = 0;
    const gates: (() => void)[] = [];
    const { queue, stop, running } = run(async (key) => {
      expect(working.has(key)).toBe(false);
      working.add(key);
      most = Math.max(most, working.size);
      await new Promise<void>((resolve) => void gates.push(resolve));
      working.delete(key);
      return {};
    }, 2);
    for (const key of ['a', 'b', 'c', 'a']) queue.add(key);
    for (let turn = 0; turn < 10; turn += 1) {
      await settle();
      gates.shift()?.();
    }
    await settle();
    expect(most).toBe(2);
    expect(queue.length).toBe(0);
    stop.abort();
    await running;
  });

  it('backs off on errors and comes again when asked to', async () => {
    let attempt = 0;
    const { clock, queue, results, stop, running, logged } = run(() => {
      attempt += 1;
      if (attempt <= 2) return Promise.reject(new Error('not yet'));
      return Promise.resolve(attempt === 3 ? { requeueAfterMs: 1_000 } : {});
    });
    queue.add('a');
    await settle();
    await clock.advance(10);
    await clock.advance(20);
    expect(results).toEqual(['error', 'error', 'requeue_after']);
    expect(queue.retries('a')).toBe(0);
    await clock.advance(1_000);
    expect(results).toEqual(['error', 'error', 'requeue_after', 'success']);
    const ids = logged.map((fields) => fields['reconcileId']).filter((id) => id !== undefined);
    expect(new Set(ids).size).toBe(4);
    stop.abort();
    await running;
    expect(clock.pending).toBe(0);
  });

  it('stops after the work in hand, whose signal aborts', async () => {
    let aborted = false;
    const { queue, stop, running } = run(
      (_key, _logger, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('stopped'));
          });
        }),
    );
    queue.add('a');
    queue.add('b');
    await settle();
    stop.abort();
    await running;
    expect(aborted).toBe(true);
    expect(queue.length).toBe(0);
  });
});
