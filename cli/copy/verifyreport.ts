/** What `ebbflow copy verify` says at its end. Pure. */
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { formatCount, formatDuration } from '../format.ts';

/** Printed by `--json`. */
export interface VerifyReport {
  readonly version: 1;
  readonly result: 'Same' | 'Different' | 'Unfinished' | 'Interrupted' | 'Unavailable' | 'Refused' | 'Error';
  readonly exitCode: number;
  readonly message?: string | undefined;
  readonly destination: string;
  readonly level: string;
  readonly seconds: number;
  readonly counts: VerifyCounts;
  /** The first hundred. */
  readonly differences: readonly Difference[];
}

export interface VerifyCounts {
  /** Rows of the plan. */
  planned: number;
  /** Those that the ledger says are at the destination and that were looked at. */
  checked: number;
  same: number;
  /** Right in size and ETag, but there is nothing any more to tell their bytes by. */
  unproved: number;
  different: number;
  /** Rows that were never copied: failed, or not yet in the ledger. */
  failed: number;
  unrecorded: number;
}

export interface Difference {
  readonly key: string;
  readonly why: string;
}

/** How many differences are kept in words; all are counted. */
export const KEPT_DIFFERENCES = 100;

/** Whether all is well. A copy that is not finished is not, however good the part of it that is there. */
export function judgeCounts({
  planned,
  checked,
  different,
  unrecorded,
}: VerifyCounts): Pick<VerifyReport, 'result' | 'exitCode' | 'message'> {
  const left = `${formatCount(unrecorded)} of its ${formatCount(planned)} objects are not in the ledger yet`;
  const unfinished = `the copy is not finished: ${left}`;
  if (different > 0) {
    const found = `${formatCount(different)} of ${formatCount(checked)} objects are not as they were copied`;
    const message = unrecorded > 0 ? `${found}, and ${unfinished}` : found;
    return { result: 'Different', exitCode: EXIT.tooManyFailures, message };
  }
  if (unrecorded > 0) return { result: 'Unfinished', exitCode: EXIT.unavailable, message: unfinished };
  return { result: 'Same', exitCode: EXIT.ok };
}

/** The last words on standard output. */
export function printVerification({ counts, level, seconds, result }: VerifyReport): string {
  const { planned, checked, same, unproved, different, failed, unrecorded } = counts;
  const took = seconds < 10 ? `${seconds.toFixed(1)}s` : formatDuration(seconds);
  const all = result === 'Same' || result === 'Different' || result === 'Unfinished';
  const part = all ? 'Checked' : 'Checked so far';
  const facts = [`${formatCount(same)} as they were copied`];
  if (different > 0) facts.push(`${formatCount(different)} not`);
  if (unproved > 0)
    facts.push(`${formatCount(unproved)} right in size and ETag, but nothing tells their bytes`);
  if (failed > 0) facts.push(`${formatCount(failed)} failed in the copy and were left out`);
  if (unrecorded > 0) facts.push(`${formatCount(unrecorded)} not copied yet`);
  const how = `level ${level}, ${took}`;
  return `${part} ${formatCount(checked)} of ${formatCount(planned)} objects (${how}): ${facts.join(', ')}.\n`;
}
