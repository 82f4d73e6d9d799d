import { setFlagsFromString } from 'node:v8';

/**
 * Switches V8's linear-time regular expression engine on for this process: the `l` flag, which refuses what cannot
 * run in linear time, and the fall-back that lets an ordinary match change to that engine when it backtracks too much
 * (so ordinary keys keep the fast engine). Call it once, before rules are parsed.
 */
export function enableLinearExpressions(): void {
  setFlagsFromString('--enable-experimental-regexp-engine');
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
}
