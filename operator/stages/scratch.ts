/** How much of its node's disk a copy may use to work out a plan that does not fit in memory. Pure. */
import type { Resources } from '../api/common.ts';

/** Enough for about forty million keys of eighty bytes. */
const DEFAULT_SIZE = '10Gi';

/** The worker stops itself before the kubelet would evict it, which happens without a word. */
const USABLE = 0.9;

const units: Readonly<Record<string, number>> = {
  '': 1,
  m: 1 / 1000,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** What a quantity of bytes such as `10Gi` is as a number. */
export function bytesOf(quantity: string): number {
  const [, number = '0', unit = ''] = /^([0-9.]+)([a-zA-Z]*)$/.exec(quantity) ?? [];
  return Math.floor(Number(number) * (units[unit] ?? 1));
}

/** The stage's `ephemeral-storage` (limit, else request): size of the volume, and the bytes that the worker may use. */
export function scratchOf(resources: Resources | undefined): {
  readonly size: string;
  readonly bytes: number;
} {
  const name = 'ephemeral-storage';
  const size = resources?.limits?.[name] ?? resources?.requests?.[name] ?? DEFAULT_SIZE;
  return { size, bytes: Math.floor(bytesOf(size) * USABLE) };
}
