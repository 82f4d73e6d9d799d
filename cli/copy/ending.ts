/** Judges how a copy ended, in the words of the command line. Pure. */
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { endOfError, endOfStage } from '../../workers/copy/ending.ts';
import { PlanCorrupt } from '../../workers/copy/planstore.ts';
import { PlanRefused } from '../../workers/copy/problems.ts';
import type { StageEnd } from '../../workers/copy/stage.ts';
import { formatCount } from '../format.ts';
import type { CopyReport } from './report.ts';
import { sayWithOptions } from './words.ts';

export type Judged = Pick<CopyReport, 'result' | 'exitCode' | 'message' | 'details'>;

/** A copy that ended without an error. */
export function judgeEnd(
  end: StageEnd,
  request: { readonly dryRun: boolean; readonly maxFailures: number },
): Judged {
  if (!end.finished) {
    const { copied, skipped, unchanged, failed, planned } = end.result;
    const done = formatCount(copied + skipped + unchanged + failed);
    const message = `stopped after ${done} of ${formatCount(planned)} objects; the same command goes on from there`;
    return { result: 'Interrupted', exitCode: EXIT.terminated, message };
  }
  if (request.dryRun) return { result: 'Planned', exitCode: EXIT.ok };
  const { failed, planned } = end.result;
  const { exitCode } = endOfStage(end, request.maxFailures);
  if (failed === 0) return { result: 'Copied', exitCode };
  const details = end.failures.map(sayWithOptions);
  const count = `${formatCount(failed)} of ${formatCount(planned)} objects failed`;
  const which = details.length < failed ? `; the first ${details.length}` : '';
  if (exitCode === EXIT.ok) {
    return { result: 'CopiedWithFailures', exitCode, message: `${count}${which}`, details };
  }
  const message = `${count}, more than --max-failures ${request.maxFailures}${which}`;
  return { result: 'Failed', exitCode, message, details };
}

/** An error that ended a copy. */
export function judgeError(
  error: unknown,
  facts: { readonly stopped: boolean; readonly planned: boolean },
): Judged {
  if (facts.stopped) {
    const message = facts.planned
      ? 'stopped; the same command goes on from the ledger'
      : 'stopped while planning; nothing was copied';
    return { result: 'Interrupted', exitCode: EXIT.terminated, message };
  }
  const { exitCode, message } = endOfError(error, undefined);
  if (error instanceof PlanRefused && error.first.length > 1) {
    const { problems } = error;
    const details = error.first.map(sayWithOptions);
    const which = details.length < problems ? `; the first ${details.length}` : '';
    const count = `the plan has ${formatCount(problems)} problems, and nothing was written${which}`;
    return { result: 'Refused', exitCode, message: count, details };
  }
  const said = sayWithOptions(message ?? 'unknown failure');
  if (error instanceof PlanCorrupt)
    return { result: 'Error', exitCode, message: `${said}; --new plans anew` };
  switch (exitCode) {
    case EXIT.planRefused:
    case EXIT.misconfigured:
      // A store may refuse in the middle as well; then the plan stands, and what was done is done.
      return facts.planned
        ? { result: 'Unavailable', exitCode: EXIT.unavailable, message: said }
        : { result: 'Refused', exitCode: EXIT.planRefused, message: said };
    case EXIT.unavailable:
      return { result: 'Unavailable', exitCode, message: said };
    default:
      return { result: 'Error', exitCode, message: said };
  }
}
