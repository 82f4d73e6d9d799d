import { expect, test } from 'vitest';
import { readSignal } from '../../cli/interrupts.ts';

test.each([
  ['the first, whichever', 'SIGHUP', undefined, 'end'],
  ['the same Ctrl-C by way of npm', 'SIGINT', 0, 'nothing'],
  ['the same Ctrl-C by way of an npm that has no processor', 'SIGINT', 999, 'nothing'],
  ['Ctrl-C again', 'SIGINT', 1000, 'leave'],
  ['a SIGTERM that its sender repeats', 'SIGTERM', 5000, 'nothing'],
  ['the end of the terminal after Ctrl-C', 'SIGHUP', 5000, 'nothing'],
] as const)('%s', (_, name, sinceFirstMs, asked) => {
  expect(readSignal(name, sinceFirstMs)).toBe(asked);
});
