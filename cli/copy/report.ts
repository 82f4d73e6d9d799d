/** What a copy says at its end, to people and to programs. Pure. */
import type { PlanIndex } from '../../workers/contract/copyplan.ts';
import type { CopyResult } from '../../workers/contract/manifests.ts';
import type { PlanReport, RequestEstimate } from '../../workers/contract/planreport.ts';
import { nameKey } from '../../workers/copy/problems.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';

/** Printed by `--json` and kept as `end.json` beside the ledger. */
export interface CopyReport {
  readonly version: 1;
  /** `Interrupted` and `Unavailable` go on with the same command; `Refused` wrote nothing. */
  readonly result:
    | 'Copied'
    | 'CopiedWithFailures'
    | 'Planned'
    | 'Refused'
    | 'Failed'
    | 'Unavailable'
    | 'Interrupted'
    | 'Error';
  readonly exitCode: number;
  /** What is wrong, where, and what to do. */
  readonly message?: string | undefined;
  readonly source: string;
  readonly destination: string;
  readonly dryRun: boolean;
  /** An earlier call made the plan. */
  readonly resumed: boolean;
  /** Directory with plan and ledger of this run. */
  readonly state?: string | undefined;
  readonly seconds: number;
  readonly plan?: PlanSummary | undefined;
  readonly copy?: CopyResult | undefined;
  /** The first ten problems of the plan, or failures of the copy. */
  readonly details?: readonly string[] | undefined;
  /** What a dry run found out, also where the plan would be refused. */
  readonly report?: PlanReport | undefined;
}

export type PlanSummary = Pick<
  PlanIndex,
  | 'listed'
  | 'unmatched'
  | 'rows'
  | 'toCopy'
  | 'skipped'
  | 'unchanged'
  | 'renamed'
  | 'bytes'
  | 'keyEquivalence'
  | 'transfer'
>;

export function summarisePlan(index: PlanIndex): PlanSummary {
  const { listed, unmatched, rows, toCopy, skipped, unchanged, renamed, bytes, keyEquivalence, transfer } =
    index;
  return { listed, unmatched, rows, toCopy, skipped, unchanged, renamed, bytes, keyEquivalence, transfer };
}

/** The last words on standard output; failures are told elsewhere. */
export function printReport(report: CopyReport): string {
  const { copy } = report;
  if (report.report !== undefined) return printPlan(report, report.report);
  if (copy === undefined) return '';
  const { planned, copied, renamed, skipped, unchanged, moved, failed, bytes, verified, reread = 0 } = copy;
  const facts: string[] = [];
  if (renamed > 0) facts.push(`${formatCount(renamed)} renamed`);
  if (skipped > 0) facts.push(`${formatCount(skipped)} there before`);
  if (unchanged > 0) facts.push(`${formatCount(unchanged)} in place already`);
  if (verified !== undefined) {
    const read = reread > 0 ? ` (${formatCount(reread)} by reading both sides)` : '';
    facts.push(`${formatCount(verified)} verified${read}`);
  }
  if (moved > 0) facts.push(`${formatCount(moved)} sources deleted`);
  if (failed > 0) facts.push(`${formatCount(failed)} failed`);
  const verb =
    report.result === 'Interrupted' || report.result === 'Unavailable' ? 'Copied so far' : 'Copied';
  const what = `${formatCount(copied)} of ${formatCount(planned)} objects, ${formatBytes(bytes)}`;
  const took = report.seconds < 10 ? `${report.seconds.toFixed(1)}s` : formatDuration(report.seconds);
  const where = report.state === undefined ? '' : `Plan and ledger: ${report.state}\n`;
  return `${verb} ${what}, in ${took}${facts.length > 0 ? `: ${facts.join(', ')}` : ''}.\n${where}`;
}

function printPlan({ source, destination, result }: CopyReport, plan: PlanReport): string {
  const lines = [
    `Plan: ${source} to ${destination}`,
    `  listed        ${objects(plan.listed)}`,
    `  to copy       ${objects(plan.toCopy)}, ${formatBytes(plan.bytes)}`,
    `  renamed       ${objects(plan.renamed)}`,
    `  there before  ${objects(plan.skipped)}`,
  ];
  if (plan.unchanged > 0) lines.push(`  in place      ${objects(plan.unchanged)}`);
  if (plan.unmatched > 0) lines.push(`  left out      ${objects(plan.unmatched)} that no --match fits`);
  lines.push(`  requests      ${formatRequests(plan.requests)}`);
  if (plan.renames.length > 0) {
    lines.push(plan.renames.length < plan.renamed ? `The first ${plan.renames.length} renames:` : 'Renames:');
    for (const rename of plan.renames)
      lines.push(`  ${nameKey(rename.source)}  ->  ${nameKey(rename.destination)}`);
  }
  if (result === 'Planned') {
    const assumed = plan.assumed ? ' (keys compared byte by byte; a copy asks the store first)' : '';
    lines.push(`No collisions and no other problems${assumed}. Nothing was written.`);
  }
  return `${lines.join('\n')}\n`;
}

const REQUEST_NAMES: Readonly<Record<keyof RequestEstimate, string>> = {
  list: 'LIST',
  head: 'HEAD',
  get: 'GET',
  put: 'PUT',
  copy: 'COPY',
  uploadPart: 'part',
  delete: 'DELETE',
};

function formatRequests(requests: RequestEstimate): string {
  return Object.entries(REQUEST_NAMES)
    .map(
      ([name, text]) => [text, Object.entries(requests).find(([known]) => known === name)?.[1] ?? 0] as const,
    )
    .filter(([, count]) => count > 0)
    .map(([text, count]) => `${formatCount(count)} ${text}`)
    .join(', ');
}

function objects(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'object' : 'objects'}`;
}
