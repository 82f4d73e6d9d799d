import { setTimeout as delay } from 'node:timers/promises';

/** Waits until `check` returns without throwing; its last error is the test's. */
export async function eventually(check: () => void, timeoutMs = 120_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      check();
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    await delay(2);
  }
}
