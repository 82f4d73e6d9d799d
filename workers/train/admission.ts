import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkerApi } from '../api/client.ts';
import { WorkerApiError } from '../api/errors.ts';
import { waitBefore } from '../api/retry.ts';
import { EXIT } from '../contract/exitcodes.ts';
import { REFUSAL } from '../contract/workerapi.ts';
import { Terminated, WorkerFailure } from './failure.ts';

/**
 * Returns when the operator has admitted this pod. Of a suspended run no pod is admitted: the operator says so, and
 * either SIGTERM follows, after which asking on would only use up the pod's grace, or the run goes on. An operator that
 * does not answer is waited for, SIGTERM or not, because outputs are at stake.
 * `patience` in milliseconds.
 * @throws Terminated, WorkerFailure when another pod was admitted, WorkerApiError, or the signal's reason.
 */
export async function askAdmission(
  api: Pick<WorkerApi, 'commit'>,
  patience: number,
  terminate: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + patience;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const left = Math.max(0, end - performance.now());
      const { admitted, message } = await api.commit(signal, { patience: left, giveUp: isSuspension });
      if (admitted) return;
      const because = message ?? 'another pod of this worker was';
      throw new WorkerFailure(
        EXIT.notAdmitted,
        'Error',
        `the outputs of this pod were not admitted: ${because}`,
      );
    } catch (error) {
      if (!isSuspension(error) || performance.now() > end) throw error;
    }
    // Wakes up at SIGTERM; the other signal is only aborted after that.
    await sleep(waitBefore(attempt, undefined), undefined, { signal: terminate }).catch(() => undefined);
    if (terminate.aborted) throw new Terminated('the run was suspended before the outputs were admitted');
  }
}

function isSuspension(error: unknown): boolean {
  return error instanceof WorkerApiError && error.refusal === REFUSAL.runSuspended;
}
