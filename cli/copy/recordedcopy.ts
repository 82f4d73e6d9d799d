/** Where the ledger of a finished copy is, and which stores it is about. */
import { join } from 'node:path';
import { z } from 'zod';
import { planIndexKey } from '../../workers/contract/keys.ts';
import type { PlanIndex } from '../../workers/contract/copyplan.ts';
import { RESULTS_ROUTES, runReply } from '../../workers/contract/resultsapi.ts';
import { LocalStore } from '../../workers/copy/localstore.ts';
import { readPlanIndex } from '../../workers/copy/planstore.ts';
import type { ReadableResults } from '../../workers/copy/results.ts';
import { ResultsClient } from '../client.ts';
import { CliError } from '../errors.ts';
import { RemoteLedger } from './remoteledger.ts';
import { readJob, readStoresOfJob, recordedStore, type RecordedStores } from './jobfile.ts';
import { listRuns, LOCAL_STAGE } from './state.ts';
import type { SideFlags, StoreFlags } from './storeflags.ts';

/** A copy whose ledger can be read. */
export interface RecordedCopy {
  readonly results: ReadableResults;
  readonly stage: string;
  readonly index: PlanIndex;
  readonly existing: ReadonlySet<string>;
  /** What is known of the stores; options come before it. */
  readonly stores: StoreFlags;
}

const recordedSpec = z.object({
  stores: z.array(recordedStore.extend({ name: z.string() })).optional(),
  stages: z.array(z.object({ name: z.string(), copy: z.unknown().optional() })),
});

/** The last run of a job's directory that has a plan, or the run whose own directory it is. */
export async function openLocal(directory: string, signal: AbortSignal): Promise<RecordedCopy> {
  const runs = (await readJob(directory)) === undefined ? [{ directory }] : await listRuns(directory);
  for (const run of runs.toReversed()) {
    const results = new LocalStore(run.directory);
    const existing = await results.list(LOCAL_STAGE);
    if (!existing.has(planIndexKey(LOCAL_STAGE))) continue;
    const known = (await readStoresOfJob(directory)) ?? (await readStoresOfJob(join(directory, '..')));
    return open({ results, stage: LOCAL_STAGE, existing }, known, signal);
  }
  throw new CliError('NoLedger', `there is no plan of a copy in ${directory}`, {
    next: 'ebbflow copy verify --help',
  });
}

/** A copy stage of a run in the cluster. */
export async function openRemote(
  server: string,
  uid: string,
  stage: string | undefined,
  signal: AbortSignal,
): Promise<RecordedCopy> {
  const client = new ResultsClient(server);
  const reply = await client.get(runReply, RESULTS_ROUTES.run(uid), {}, signal);
  const spec = 'record' in reply ? recordedSpec.parse(reply.record.spec) : undefined;
  const name = stage ?? onlyCopy(spec?.stages ?? []);
  const results = new RemoteLedger(client, uid, name);
  const existing = await results.list(name, signal);
  const source = await open({ results, stage: name, existing }, undefined, signal);
  const find = (wanted: string): SideFlags => {
    const { name: _, ...known } = spec?.stores?.find((store) => store.name === wanted) ?? { name: '' };
    return { ...unknownSide, ...known };
  };
  const stores = {
    source: find(source.index.source.store),
    destination: find(source.index.destination.store),
  };
  return { ...source, stores };
}

function onlyCopy(stages: readonly { readonly name: string; readonly copy?: unknown }[]): string {
  const copies = stages.filter(({ copy }) => copy !== undefined).map(({ name }) => name);
  const [only, ...others] = copies;
  if (only !== undefined && others.length === 0) return only;
  const which = copies.length === 0 ? '' : `: ${copies.join(', ')}`;
  throw new CliError('Usage', `name the copy stage with --stage${which}`, {
    next: 'ebbflow copy verify --help',
  });
}

const unknownSide: SideFlags = {
  endpoint: undefined,
  region: undefined,
  addressing: undefined,
  profile: undefined,
};

async function open(
  found: Pick<RecordedCopy, 'results' | 'stage' | 'existing'>,
  known: RecordedStores | undefined,
  signal: AbortSignal,
): Promise<RecordedCopy> {
  const index = await readPlanIndex(found.results, found.stage, found.existing, signal);
  if (index === undefined)
    throw new CliError('NoLedger', `stage ${found.stage} has no finished plan, so nothing was copied yet`);
  const stores = {
    source: { ...unknownSide, ...known?.source },
    destination: { ...unknownSide, ...known?.destination },
  };
  return { ...found, index, stores };
}

/** Options first, then what the copy itself knows. A store that is given anew is given whole. */
export function mergeStores(flags: StoreFlags, known: StoreFlags): StoreFlags {
  const merge = (given: SideFlags, from: SideFlags): SideFlags => {
    const base = given.endpoint === undefined ? from : unknownSide;
    return {
      endpoint: given.endpoint ?? base.endpoint,
      region: given.region ?? from.region,
      addressing: given.addressing ?? base.addressing,
      profile: given.profile ?? base.profile,
    };
  };
  return {
    source: merge(flags.source, known.source),
    destination: merge(flags.destination, known.destination),
  };
}
