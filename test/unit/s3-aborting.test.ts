import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { type Abortable, followSignal } from '../../workers/s3/aborting.ts';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

function recorder(): Abortable & { readonly reasons: unknown[] } {
  const reasons: unknown[] = [];
  return { reasons, abort: (reason) => void reasons.push(reason) };
}

test('however many follow a signal, it has one listener, and with the last of them none', () => {
  const { signal } = new AbortController();
  const leave = Array.from({ length: 3 }, () => followSignal(signal, recorder()));
  expect(listeners(signal)).toBe(1);
  leave[0]?.();
  leave[0]?.();
  leave[2]?.();
  expect(listeners(signal)).toBe(1);
  leave[1]?.();
  expect(listeners(signal)).toBe(0);
});

test('those that still follow are broken off, once, with the reason; the others are not', () => {
  const controller = new AbortController();
  const [gone, left, next] = [recorder(), recorder(), recorder()];
  followSignal(controller.signal, gone)();
  const leave = followSignal(controller.signal, left);
  followSignal(controller.signal, next);
  leave();
  const reason = new Error('stop');
  controller.abort(reason);
  expect([gone.reasons, left.reasons, next.reasons]).toEqual([[], [], [reason]]);
  expect(listeners(controller.signal)).toBe(0);
});

test('a signal that was aborted before breaks off at once', () => {
  const late = recorder();
  followSignal(AbortSignal.abort('over'), late);
  expect(late.reasons).toEqual(['over']);
});

test('who comes after all others have left is followed as the first was', () => {
  const controller = new AbortController();
  const again = recorder();
  followSignal(controller.signal, recorder())();
  followSignal(controller.signal, again);
  expect(listeners(controller.signal)).toBe(1);
  controller.abort('now');
  expect(again.reasons).toEqual(['now']);
});
