import type { PlanIndex } from '../contract/copyplan.ts';
import type { Crew } from './deal.ts';
import type { EarlierLedger } from './earlier.ts';
import type { CopyJob } from './job.ts';
import { draftPlan, provePlan, type DraftedPlan, type PlanInput } from './plan.ts';
import { reportPlan, writeReport } from './planreport.ts';
import { writePlan } from './planstore.ts';
import { PlanRefused, type PlanProblems } from './problems.ts';
import type { ResultsStore } from './results.ts';
import { Scratch, type ScratchPlace } from './scratch.ts';
import type { Sides } from './sides.ts';

/** What a stage is planned from, and where its plan goes. */
export interface Planning {
  readonly job: CopyJob;
  readonly sides: Sides;
  readonly problems: PlanProblems;
  readonly owner: string;
  readonly scratch: ScratchPlace;
  readonly crew: Crew;
  readonly results: ResultsStore;
  readonly earlier?: readonly EarlierLedger[] | undefined;
  readonly openLedger?: PlanInput['openLedger'];
  readonly worker: { readonly stage: string };
  readonly onListed?: ((objects: number) => void) | undefined;
}

/**
 * Plans a stage and stores its plan; `ours` is false where another pod was faster. A dry run stores its report as well,
 * and first, also where the plan is refused.
 * @throws PlanRefused with all problems; Unavailable.
 */
export async function planStage(
  planning: Planning,
  existing: ReadonlySet<string>,
  signals: { readonly planning: AbortSignal; readonly storing: AbortSignal },
): Promise<{ readonly index: PlanIndex; readonly ours: boolean }> {
  const { job, results, crew, worker } = planning;
  using scratch = new Scratch(planning.scratch);
  const input = { ...planning, scratch };
  const drafted = await draftPlan(input, signals.planning);
  const proved = job.dryRun
    ? await proveAndReport(planning, input, drafted, signals)
    : await provePlan(input, drafted, signals.planning);
  // Awaited here: the scratch files must stay until all of it is written.
  return await writePlan(results, worker.stage, existing, { proved, job, crew }, signals.storing);
}

async function proveAndReport(
  { job, results, worker }: Planning,
  input: PlanInput,
  drafted: DraftedPlan,
  signals: { readonly planning: AbortSignal; readonly storing: AbortSignal },
) {
  try {
    const proved = await provePlan(input, drafted, signals.planning);
    await writeReport(results, worker.stage, reportPlan(job, drafted, proved), signals.storing);
    return proved;
  } catch (error) {
    if (error instanceof PlanRefused)
      await writeReport(results, worker.stage, reportPlan(job, drafted, error), signals.storing);
    throw error;
  }
}
