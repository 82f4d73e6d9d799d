import { describe, expect, it, vi } from 'vitest';
import { Backoff, reflectorBackoff } from '../../operator/kube/backoff.ts';
import { clampTimerMs, maximumTimerMs, sleep, systemClock } from '../../operator/kube/clock.ts';
import {
  findCondition,
  formatMicroTime,
  formatTime,
  isConditionTrue,
  setCondition,
} from '../../operator/kube/conditions.ts';
import {
  isAlreadyExists,
  isConflict,
  isTransient,
  KubeConnectionError,
  KubeError,
} from '../../operator/kube/errors.ts';
import { EventRecorder } from '../../operator/kube/events.ts';
import { cutToBytes } from '../../operator/kube/text.ts';
import { keyOf } from '../../operator/kube/key.ts';
import {
  apiVersionOf,
  eventsV1,
  jobs,
  nodes,
  pods,
  resourceName,
  resourcePath,
} from '../../operator/kube/resource.ts';
import { retryDelayMs } from '../../operator/kube/retry.ts';
import { parseRetryAfterMs, parseStatusError } from '../../operator/kube/status-error.ts';
import { ManualClock, settle } from '../support/fakeapi/manual-clock.ts';
import { MemoryClient } from '../support/fakeapi/memory-client.ts';

describe('conditions', () => {
  const now = new Date('2026-02-03T04:05:06.789Z');
  const ready = { type: 'Ready', status: 'True', reason: 'AllGood', message: '' } as const;

  it('carry the transition time over while the status stays', () => {
    const first = setCondition(undefined, ready, now);
    expect(first).toEqual([{ ...ready, lastTransitionTime: '2026-02-03T04:05:06Z' }]);
    const later = new Date('2027-01-01T00:00:00Z');
    const same = setCondition(first, { ...ready, reason: 'StillGood', observedGeneration: 2 }, later);
    expect(same[0]).toMatchObject({ reason: 'StillGood', lastTransitionTime: '2026-02-03T04:05:06Z' });
    const changed = setCondition(same, { ...ready, status: 'False', reason: 'Broken' }, later);
    expect(changed[0]?.lastTransitionTime).toBe('2027-01-01T00:00:00Z');
    expect(first[0]?.reason).toBe('AllGood');
  });

  it('keep their order and are found', () => {
    const list = setCondition(
      setCondition([], ready, now),
      { ...ready, type: 'Done', status: 'Unknown' },
      now,
    );
    expect(list.map((each) => each.type)).toEqual(['Ready', 'Done']);
    expect(isConditionTrue(list, 'Ready')).toBe(true);
    expect(isConditionTrue(list, 'Done')).toBe(false);
    expect(findCondition(list, 'None')).toBeUndefined();
    expect(findCondition(undefined, 'None')).toBeUndefined();
  });

  it('write times as the server wants them', () => {
    expect(formatTime(now)).toBe('2026-02-03T04:05:06Z');
    expect(formatMicroTime(now)).toBe('2026-02-03T04:05:06.789000Z');
  });
});

describe('paths and keys', () => {
  it('name collections, objects and subresources', () => {
    expect(resourcePath(pods, undefined)).toBe('/api/v1/pods');
    expect(resourcePath(pods, 'a', 'x', 'log')).toBe('/api/v1/namespaces/a/pods/x/log');
    expect(resourcePath(jobs, 'a')).toBe('/apis/batch/v1/namespaces/a/jobs');
    expect(resourcePath(nodes, 'ignored', 'n')).toBe('/api/v1/nodes/n');
    expect(resourcePath(jobs, 'a', '../secrets?x#y')).toBe(
      '/apis/batch/v1/namespaces/a/jobs/..%2Fsecrets%3Fx%23y',
    );
    expect(apiVersionOf(jobs)).toBe('batch/v1');
    expect(apiVersionOf(pods)).toBe('v1');
    expect(resourceName(jobs)).toBe('jobs.batch');
  });

  it('name the namespace of what has one', () => {
    expect(keyOf({ metadata: { namespace: 'a', name: 'x' } })).toBe('a/x');
    expect(keyOf({ metadata: { name: 'n' } })).toBe('n');
    expect(() => keyOf({ metadata: {} })).toThrow(TypeError);
  });
});

describe('errors', () => {
  it('are read from a Status, and from anything else', () => {
    const body = JSON.stringify({
      kind: 'Status',
      code: 409,
      reason: 'AlreadyExists',
      message: 'jobs "x" already exists',
      details: { name: 'x', retryAfterSeconds: 3 },
    });
    const error = parseStatusError(409, body, undefined, new Date());
    expect(error).toMatchObject({
      status: 409,
      reason: 'AlreadyExists',
      retryAfterMs: 3000,
      code: 'KUBE_STATUS',
    });
    expect(isAlreadyExists(error)).toBe(true);
    expect(isConflict(error)).toBe(false);
    expect(parseStatusError(502, '<html>', undefined, new Date())).toMatchObject({ status: 502, reason: '' });
    expect(parseStatusError(500, 'null', '7', new Date()).retryAfterMs).toBe(7000);
    expect(parseStatusError(500, 'x'.repeat(1e6), undefined, new Date()).message.length).toBeLessThan(100);
    expect(new KubeError({ status: 500, message: 'x'.repeat(5000) }).message).toHaveLength(1024);
  });

  it('know Retry-After as seconds and as a date', () => {
    const now = new Date('2026-01-01T00:00:00Z');
    expect(parseRetryAfterMs('2', now)).toBe(2000);
    expect(parseRetryAfterMs('Thu, 01 Jan 2026 00:00:05 GMT', now)).toBe(5000);
    expect(parseRetryAfterMs('soon', now)).toBeUndefined();
    expect(parseRetryAfterMs(undefined, now)).toBeUndefined();
  });

  it('are tried again only when that can help and cannot hurt', () => {
    const policy = { baseMs: 100, maxMs: 1000, attempts: 4 };
    const delay = (error: unknown, attempt: number, repeatable: boolean) =>
      retryDelayMs(error, attempt, repeatable, policy, () => 1);
    const broken = new KubeConnectionError('cut');
    const refused = new KubeConnectionError('refused', { unsent: true });
    expect([1, 2, 3, 4].map((attempt) => delay(broken, attempt, true))).toEqual([100, 200, 400, undefined]);
    expect(delay(broken, 1, false)).toBeUndefined();
    expect(delay(refused, 1, false)).toBe(100);
    expect(delay(new KubeError({ status: 429, retryAfterMs: 5000 }), 1, false)).toBe(5100);
    expect(delay(new KubeError({ status: 500 }), 1, false)).toBeUndefined();
    expect(delay(new KubeError({ status: 404 }), 1, true)).toBeUndefined();
    expect(isTransient(new TypeError('a bug'))).toBe(false);
  });
});

describe('time', () => {
  it('is never slept for more than an hour at once', () => {
    expect(clampTimerMs(30 * 86_400_000)).toBe(maximumTimerMs);
    expect(clampTimerMs(Number.POSITIVE_INFINITY)).toBe(maximumTimerMs);
    expect([-5, 0, Number.NaN].map(clampTimerMs)).toEqual([0, 0, 0]);
    vi.useFakeTimers();
    try {
      const fired = vi.fn<() => void>();
      systemClock.after(30 * 86_400_000, fired);
      vi.advanceTimersByTime(maximumTimerMs - 1);
      expect(fired).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(fired).toHaveBeenCalledTimes(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is given up by a sleep whose signal aborts', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const reason = new Error('enough');
    const sleeping = sleep(1000, clock, stop.signal);
    stop.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(sleep(1000, clock, stop.signal)).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });

  it('grows between failures up to a limit, and starts again after a calm', async () => {
    const clock = new ManualClock();
    const backoff = new Backoff(reflectorBackoff, clock, () => 0);
    const delays = [1, 2, 3, 4, 5, 6, 7].map(() => backoff.next());
    expect(delays).toEqual([800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
    await clock.advance(30_000 + 120_001);
    expect(backoff.next()).toBe(800);
    const jittered = new Backoff(reflectorBackoff, clock, () => 0.5);
    expect(jittered.next()).toBe(1200);
  });
});

describe('the event recorder', () => {
  const regarding = { apiVersion: 'v1', kind: 'Pod', name: 'p', namespace: 'a', uid: 'u' };
  const event = { regarding, type: 'Warning', reason: 'Failed', action: 'Run', note: 'it broke' } as const;
  const setUp = () => {
    const client = new MemoryClient();
    const clock = new ManualClock();
    const recorder = new EventRecorder({
      client,
      reportingController: 'example.dev/c',
      reportingInstance: 'c-1',
      clock,
    });
    return { client, clock, recorder, written: () => client.world.list(resourcePath(eventsV1, undefined)) };
  };

  it('writes an event once in two minutes', async () => {
    const { clock, recorder, written } = setUp();
    recorder.record(event);
    recorder.record(event);
    recorder.record({ ...event, note: 'it broke otherwise' });
    await recorder.flush();
    expect(written()).toHaveLength(2);
    await clock.advance(119_999);
    recorder.record(event);
    await recorder.flush();
    expect(written()).toHaveLength(2);
    await clock.advance(1);
    recorder.record(event);
    await recorder.flush();
    expect(written()).toHaveLength(3);
    expect(written()[0]).toMatchObject({
      reason: 'Failed',
      regarding,
      reportingController: 'example.dev/c',
      eventTime: '2026-01-01T00:00:00.000000Z',
    });
  });

  it('never throws, never waits, and forgets what cannot be written', async () => {
    const { client, recorder, written } = setUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    client.before = () => promise;
    for (let n = 0; n < 1_500; n += 1) recorder.record({ ...event, note: String(n) });
    await settle();
    resolve();
    await recorder.flush();
    expect(written().length).toBe(1_004);
    client.before = () => Promise.reject(new KubeConnectionError('down'));
    recorder.record({ ...event, note: 'lost' });
    await recorder.flush();
    expect(written().length).toBe(1_004);
  });

  it('cuts notes to what the server takes, never inside a character', async () => {
    expect(cutToBytes('abc', 3)).toBe('abc');
    expect(cutToBytes('aäb', 2)).toBe('a');
    expect(cutToBytes('aäb', 3)).toBe('aä');
    expect(Buffer.byteLength(cutToBytes('€'.repeat(1000), 1024))).toBeLessThanOrEqual(1024);
    const { recorder, written } = setUp();
    recorder.record({ ...event, note: '🙂'.repeat(1000) });
    await recorder.flush();
    expect(written()[0]).toMatchObject({ note: '🙂'.repeat(256) });
  });
});
