/** Runs that stay in a phase of their life for as long as a test looks. */
import type { PipelineRunSpec } from '../../../operator/api/pipelinerun.ts';
import type { PipelineRun } from '../../../operator/api/types.ts';
import { type Bed, conditionOf, stageOf, unique } from './bed.ts';
import { refuseRecord } from './resultsfolder.ts';
import { startSlowStore } from './slowstore.ts';
import { writesItsName } from './stages.ts';

export const PHASES = [
  'Suspended',
  'Provisioning',
  'Starting',
  'Running',
  'Finalizing',
  'Committing',
  'Finished',
] as const;
export type Phase = (typeof PHASES)[number];

/** A run of one stage, `work`, in its phase. */
export interface Brought extends AsyncDisposable {
  readonly name: string;
  readonly uid: string;
  /** Takes away what an outside power, a store, keeps the run in its phase by. */
  letGo(): Promise<void>;
}

/** Applies a run that reaches the phase and stays there; what it needs goes with the returned object. */
export async function bring(bed: Bed, phase: Phase): Promise<Brought> {
  const name = unique(phase.toLowerCase());
  const slow = phase === 'Finalizing' ? await startSlowStore(bed.cluster, { holdUploads: true }) : undefined;
  const stores = bed.stores.map((store) => ({ ...store, endpoint: slow?.endpoint ?? store.endpoint }));
  const uid = await bed.apply(name, specs[phase](bed, stores));
  const release = phase === 'Committing' ? await refuseRecord(bed, uid) : undefined;
  await bed.until(name, phase, (run) => isIn(phase, run) && (slow === undefined || slow.uploads() > 0));
  const letGo = async (): Promise<void> => {
    slow?.letUploadsThrough();
    await release?.();
  };
  const dispose = async (): Promise<void> => {
    await letGo();
    await slow?.close();
  };
  return { name, uid, letGo, [Symbol.asyncDispose]: dispose };
}

const specs: Readonly<Record<Phase, (bed: Bed, stores: Bed['stores']) => PipelineRunSpec>> = {
  Suspended: (bed) => ({ suspend: true, stages: [bed.shell('work', 'true')] }),
  Provisioning: (bed) => ({
    stages: [
      bed.shell('work', 'sleep 600', { placement: { nodeSelector: { 'ebbflow.dev/pool': 'nowhere' } } }),
    ],
  }),
  Starting: () => ({
    stages: [{ name: 'work', container: { image: 'localhost/no-such-image:1', command: ['true'] } }],
  }),
  Running: (bed) => ({ stages: [bed.shell('work', 'echo begun; sleep 600')] }),
  Finalizing: (bed, stores) => ({ stores, stages: [writesItsName(bed, 'true')] }),
  Committing: (bed) => ({ stages: [bed.shell('work', 'true')] }),
  Finished: (bed) => ({ stages: [bed.shell('work', 'true')] }),
};

function isIn(phase: Phase, run: PipelineRun): boolean {
  const succeeded = conditionOf(run, 'Succeeded');
  if (phase === 'Finished') return succeeded?.status === 'True';
  if (phase === 'Suspended' || phase === 'Committing') return succeeded?.reason === phase;
  return stageOf(run, 'work')?.state === phase;
}
