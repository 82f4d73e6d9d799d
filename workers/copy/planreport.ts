import { planReportKey } from '../contract/keys.ts';
import type { PlanReport } from '../contract/planreport.ts';
import type { PlanIndex } from '../contract/copyplan.ts';
import { RequestCounter } from './estimate.ts';
import type { CopyJob } from './job.ts';
import type { DraftedPlan, ProvedPlan } from './plan.ts';
import { PlannedRows } from './plannedrows.ts';
import type { PlanRefused } from './problems.ts';
import type { ResultsStore } from './results.ts';
import { RowSet } from './rowset.ts';

/** Reports on a plan that was proved, or as far as it came before it was refused. */
export function reportPlan(
  job: CopyJob,
  { drafts, drafter, proof }: DraftedPlan,
  end: ProvedPlan | PlanRefused,
): PlanReport {
  const refused = end instanceof Error ? end : undefined;
  const early = { drafts, skipped: new RowSet(), existingEtag: () => undefined, unchanged: proof.unchanged };
  const proved = end instanceof Error ? early : end;
  const counter = new RequestCounter(job);
  counter.addListing(drafter.listed);
  counter.addListing(end instanceof Error ? 0 : end.listedAtDestination);
  let bytes = 0;
  new PlannedRows(proved, job.mode).each((action, size) => {
    counter.addRow(action, size);
    if (action === 'Copy') bytes += size;
  });
  const [skipped, unchanged] = [proved.skipped.size, proved.unchanged.size];
  return {
    version: 1,
    time: new Date().toISOString(),
    source: placeOf(job.source),
    destination: placeOf(job.destination),
    keyEquivalence: end instanceof Error ? proof.space.equivalence : end.keyEquivalence,
    assumed: job.keyEquivalence === 'Auto',
    listed: drafter.listed,
    unmatched: drafter.unmatched,
    rows: drafts.rows,
    toCopy: drafts.rows - skipped - unchanged,
    skipped,
    unchanged,
    renamed: drafter.renamed,
    bytes,
    requests: counter.estimate,
    renames: drafter.renames,
    problems: { total: refused?.problems ?? 0, first: [...(refused?.first ?? [])] },
  };
}

function placeOf({ store, bucket, prefix }: CopyJob['source']): PlanReport['source'] {
  return { store, bucket, prefix };
}

/** Stores a report beside the plan. One that is there already was made by an earlier pod from the same spec. */
export async function writeReport(
  results: ResultsStore,
  stage: string,
  report: PlanReport,
  signal: AbortSignal,
): Promise<void> {
  await results.put(planReportKey(stage), Buffer.from(JSON.stringify(report)), signal);
}

/** What a dry run says in one sentence of a status. */
export function describeDryRun(index: PlanIndex): string {
  const parts = [
    `${index.toCopy} objects (${index.bytes} bytes) would be copied`,
    `${index.renamed} renamed`,
  ];
  if (index.skipped > 0) parts.push(`${index.skipped} are there already`);
  if (index.unchanged > 0) parts.push(`${index.unchanged} stay as they are`);
  if (index.unmatched > 0) parts.push(`${index.unmatched} match no rule`);
  return `dry run: ${parts.join(', ')}; nothing was written`;
}
