import { NO_CAPABILITIES } from '../s3/probe.ts';
import type { DraftFile } from './draftfile.ts';
import type { CopyJob } from './job.ts';
import type { ProvedPlan } from './plan.ts';
import { nameKey, PlanRefused } from './problems.ts';
import { RowSet } from './rowset.ts';

/** A plan without rows, where the job takes one. @throws PlanRefused where it does not. */
export function refuseOrAcceptEmpty(
  job: CopyJob,
  drafts: DraftFile,
  { listed, unmatched }: { readonly listed: number; readonly unmatched: number },
): ProvedPlan {
  if (job.onEmpty === 'Fail') {
    const under = `under prefix ${nameKey(job.source.prefix)} of bucket ${job.source.bucket}`;
    const where = job.from.kind === 'Listing' ? under : `${under} ${describeOrigin(job.from)}`;
    throw new PlanRefused(
      listed === 0
        ? `there are 0 objects ${where}: correct copy.source, or set copy.onEmpty to Succeed`
        : `no rename rule matches any of the ${listed} keys ${where}: correct copy.rename, or set copy.onEmpty to Succeed`,
    );
  }
  const [skipped, unchanged] = [new RowSet(), new RowSet()];
  const existingEtag = (): undefined => undefined;
  const known = {
    drafts,
    skipped,
    existingEtag,
    unchanged,
    listed,
    unmatched,
    renamed: 0,
    listedAtDestination: 0,
  };
  return { ...known, keyEquivalence: 'Exact', guards: NO_CAPABILITIES };
}

function describeOrigin(from: Exclude<CopyJob['from'], { kind: 'Listing' }>): string {
  return from.kind === 'KeyList'
    ? `in the key list ${nameKey(from.key)}`
    : `in the ledger of stage ${from.stage}`;
}
