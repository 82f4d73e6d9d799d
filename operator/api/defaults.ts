/** Defaults that depend on more than one field, and the resolution of run-level against stage-level fields. */
import type { Placement } from './common.ts';
import type { PipelineRunSpec, Stage } from './pipelinerun.ts';
import type { Location, Store } from './stores.ts';

export type StageKind = 'copy' | 'train' | 'container';

export function stageKind(stage: Stage): StageKind {
  if (stage.copy) return 'copy';
  return stage.train ? 'train' : 'container';
}

export interface StageLimits {
  provisionTimeoutSeconds: number;
  startTimeoutSeconds: number;
  activeDeadlineSeconds: number;
  failures: number;
  disruptions: number;
}

/** Time limits in seconds and retry budgets of a stage: its own, else the run's, else the defaults. */
export function limitsOf(spec: PipelineRunSpec, stage: Stage): StageLimits {
  return {
    provisionTimeoutSeconds: stage.provisionTimeoutSeconds ?? spec.provisionTimeoutSeconds ?? 900,
    startTimeoutSeconds: stage.startTimeoutSeconds ?? spec.startTimeoutSeconds ?? 600,
    activeDeadlineSeconds: stage.activeDeadlineSeconds ?? spec.activeDeadlineSeconds ?? 86_400,
    failures: stage.retry?.failures ?? (stage.copy ? 3 : 0),
    disruptions: stage.retry?.disruptions ?? 20,
  };
}

export function placementOf(spec: PipelineRunSpec, stage: Stage): Placement {
  return stage.placement ?? spec.placement ?? {};
}

/** The store of a location; undefined when it names none and the run has not just one, or names one that does not exist. */
export function storeOf(spec: PipelineRunSpec, location: Pick<Location, 'store'>): Store | undefined {
  const stores = spec.stores ?? [];
  if (location.store === undefined) return stores.length === 1 ? stores[0] : undefined;
  return stores.find((store) => store.name === location.store);
}
