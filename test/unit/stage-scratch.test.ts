import { describe, expect, test } from 'vitest';
import { bytesOf, scratchOf } from '../../operator/stages/scratch.ts';

describe('the scratch space of a copy', () => {
  test.each([
    ['10Gi', 10 * 1024 ** 3],
    ['1.5G', 1_500_000_000],
    ['500M', 500_000_000],
    ['2000m', 2],
    ['7', 7],
  ])('%s is %i bytes', (quantity, bytes) => {
    expect(bytesOf(quantity)).toBe(bytes);
  });

  test('is what the stage asks for, the limit before the request', () => {
    const storage = 'ephemeral-storage';
    expect(scratchOf(undefined).size).toBe('10Gi');
    expect(scratchOf({ requests: { [storage]: '20Gi' } }).size).toBe('20Gi');
    expect(scratchOf({ requests: { [storage]: '2Gi' }, limits: { [storage]: '4Gi' } }).size).toBe('4Gi');
  });

  test('is never used up to where the kubelet would end the pod', () => {
    const { size, bytes } = scratchOf({ limits: { 'ephemeral-storage': '1Gi' } });
    expect(bytes).toBeLessThan(bytesOf(size) * 0.95);
    expect(bytes).toBeGreaterThan(bytesOf(size) * 0.8);
  });
});
