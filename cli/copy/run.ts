/** `ebbflow copy`: the engine of the copy stage on this machine, with its plan and ledger in a directory. */
import { randomUUID } from 'node:crypto';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { WORKER_SHARE, type PlanIndex } from '../../workers/contract/copyplan.ts';
import { planReportKey } from '../../workers/contract/keys.ts';
import { planReport, type PlanReport } from '../../workers/contract/planreport.ts';
import { resolveJob, type CopyJob } from '../../workers/copy/job.ts';
import { enableLinearExpressions } from '../../workers/copy/linear.ts';
import { LocalStore } from '../../workers/copy/localstore.ts';
import { PlanProblems } from '../../workers/copy/problems.ts';
import { makeSignals } from '../../workers/copy/signals.ts';
import { runStage, type StageEnd } from '../../workers/copy/stage.ts';
import type { Tally } from '../../workers/copy/tally.ts';
import type { CopyRequest } from './arguments.ts';
import { findEarlier } from './earlier.ts';
import { judgeEnd, judgeError, type Judged } from './ending.ts';
import { originOf } from './ledgerorigin.ts';
import { formatLocation } from './location.ts';
import { baseDirectory, jobDirectory, openPlace } from './place.ts';
import { type CopyReport, summarisePlan } from './report.ts';
import { checkRules } from './rules.ts';
import type { Screen } from './screen.ts';
import { LOCAL_STAGE, type RunState } from './state.ts';
import { type Environment, type LocalStores, openLocalSides, resolveStores } from './stores.ts';
import { ThrottleMeter } from './throttling.ts';
import { watchCopy } from './watcher.ts';

/** What the command takes from its process. */
export interface CopyHost {
  readonly env: Environment;
  readonly screen: Screen;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly stop: AbortSignal;
}

/** Runs a copy to its end. @throws CliError before anything is begun. */
export async function runCopy(request: CopyRequest, host: CopyHost): Promise<CopyReport> {
  enableLinearExpressions();
  checkRules(request.job.rename);
  const stores = resolveStores(request.stores, host.env);
  const state = await openPlace(request, stores, host.env);
  try {
    const report = await copyWith(request, stores, state, host);
    if (report.result === 'Copied' || report.result === 'CopiedWithFailures' || report.result === 'Failed') {
      await state.finish(report);
    }
    return report;
  } finally {
    await state.close();
  }
}

/** The copy member of a stage that says the same. */
function stageOf({ job, maxFailures, dryRun }: CopyRequest, { one }: LocalStores): CopyStage {
  const { source, destination, keyList, ledgerOf, ...rest } = job;
  return {
    ...rest,
    source: {
      store: one ? 'store' : 'source',
      ...source,
      keyList,
      ...(ledgerOf && { ledgerOf: LOCAL_STAGE }),
    },
    destination: { store: one ? 'store' : 'destination', ...destination },
    rename: [...job.rename],
    maxFailures,
    dryRun,
  };
}

interface Observed {
  listed: number | undefined;
  tally: Tally | undefined;
  index: PlanIndex | undefined;
  resumed: boolean;
}

async function copyWith(
  request: CopyRequest,
  stores: LocalStores,
  state: RunState,
  host: CopyHost,
): Promise<CopyReport> {
  const start = performance.now();
  const results = new LocalStore(state.directory);
  if (!request.dryRun) await results.tidy();
  const known = jobDirectory(request, stores, host.env);
  const earlier = await findEarlier(known, baseDirectory(host.env), stores, state.directory);
  const { ledgerOf, source } = request.job;
  const origin = ledgerOf && originOf(ledgerOf, source.bucket, stores);
  const problems = new PlanProblems();
  const resolved = resolveJob(stageOf(request, stores), problems);
  const job: CopyJob = { ...resolved, concurrency: request.concurrency ?? resolved.concurrency };
  const observed: Observed = { listed: undefined, tally: undefined, index: undefined, resumed: false };
  const signals = makeSignals(host.stop);
  const sides = await openLocalSides(stores, host.env, Math.max(64, job.concurrency + 8));
  const clients = new Set([sides.source, sides.destination]);
  const throttling = new ThrottleMeter();
  const watcher = watchCopy(host.screen, () => ({
    copying: observed.tally && { tally: observed.tally, totalBytes: observed.index?.bytes ?? 0 },
    listed: observed.listed,
    throttled: throttling.measure(performance.now(), clients),
  }));
  let judged: Judged;
  try {
    const end: StageEnd = await runStage(
      {
        job,
        problems,
        sides,
        results,
        earlier,
        openLedger: origin?.open,
        worker: { stage: LOCAL_STAGE, index: 0, podUID: randomUUID() },
        crew: { most: 1, share: WORKER_SHARE },
        scratch: { directory: state.directory, limit: Number.POSITIVE_INFINITY },
        owner: `${state.uid}-${LOCAL_STAGE}`,
        log: logTo(host.screen),
        onListed: (objects) => {
          observed.listed = objects;
        },
        onTally: (tally, index, resumed) => {
          Object.assign(observed, { tally, index, resumed });
          if (resumed) host.screen.say(sayResumed(index));
        },
      },
      signals,
    );
    judged = judgeEnd(end, request);
  } catch (error) {
    judged = judgeError(error, { stopped: host.stop.aborted, planned: observed.index !== undefined });
  } finally {
    watcher.stop();
    signals.clear();
    origin?.close();
    await Promise.all([sides.source.close(), sides.destination.close()]);
  }
  const { index, tally, resumed } = observed;
  return {
    version: 1,
    ...judged,
    source: formatLocation(request.job.source),
    destination: formatLocation(request.job.destination),
    dryRun: request.dryRun,
    resumed,
    state: index === undefined || request.dryRun ? undefined : state.directory,
    seconds: Math.round(performance.now() - start) / 1000,
    plan: index && summarisePlan(index),
    copy: request.dryRun ? undefined : tally?.result,
    report: request.dryRun ? await readReport(results) : undefined,
  };
}

/** Undefined where the plan did not come so far. */
async function readReport(results: LocalStore): Promise<PlanReport | undefined> {
  const key = planReportKey(LOCAL_STAGE);
  const signal = AbortSignal.timeout(60_000);
  if (!(await results.list(LOCAL_STAGE)).has(key)) return undefined;
  return planReport.parse(JSON.parse((await results.get(key, signal)).toString('utf8')));
}

function sayResumed(index: PlanIndex): string {
  const time = index.time.slice(0, 19).replace('T', ' ');
  return `Going on with the copy that was planned at ${time} UTC (--new would plan anew).`;
}

/** Only what somebody should know before the end; single failures come with the report. */
function logTo(screen: Screen) {
  return {
    info: () => undefined,
    warn: (facts: object, message: string) => {
      if (message === 'object not copied') return;
      const details = Object.values(facts).map(String).join(' ');
      screen.say(`warning: ${message}${details === '' ? '' : `: ${details}`}`);
    },
  };
}
