/** Stage of the API -> what its workers are told: stores, names and templates resolved. Pure. */
import { stageKind, storeOf } from '../api/defaults.ts';
import type { PipelineRunSpec, Stage } from '../api/pipelinerun.ts';
import type { Location, Store } from '../api/stores.ts';
import { scratchOf } from './scratch.ts';
import {
  PATHS,
  type WorkerLocation,
  type WorkerSpec,
  type WorkerStore,
} from '../../workers/contract/environment.ts';

/** Names that output prefixes may refer to. */
export interface RunNames {
  run: string;
  runUID: string;
}

/** The stores that the stage's locations name, each once. Stores that its inputs inherit from earlier stages are among them. */
export function storesOf(spec: PipelineRunSpec, stage: Stage): Store[] {
  const found = new Map<string, Store>();
  for (const location of locationsOf(spec, stage, new Set())) {
    const store = storeOf(spec, location);
    if (store) found.set(store.name, store);
  }
  return [...found.values()];
}

/** Locations that the stage reads or writes; a stage input stands for the places where that stage wrote. */
function locationsOf(spec: PipelineRunSpec, stage: Stage, seen: Set<string>): Pick<Location, 'store'>[] {
  if (stage.copy) return [stage.copy.source, stage.copy.destination];
  const member = stage.train ?? stage.container;
  const own: Pick<Location, 'store'>[] = [...(member?.outputs ?? [])];
  for (const input of member?.inputs ?? []) {
    if (input.stage === undefined) own.push(input);
    else own.push(...writtenBy(spec, input.stage, seen));
  }
  return own;
}

function writtenBy(spec: PipelineRunSpec, name: string, seen: Set<string>): Pick<Location, 'store'>[] {
  const stage = spec.stages.find((candidate) => candidate.name === name);
  if (!stage || seen.has(name)) return [];
  seen.add(name);
  return stage.copy ? [stage.copy.destination] : [...((stage.train ?? stage.container)?.outputs ?? [])];
}

function workerStore(store: Store): WorkerStore {
  return {
    name: store.name,
    ...(store.endpoint === undefined ? {} : { endpoint: store.endpoint }),
    region: store.region ?? 'us-east-1',
    addressing: store.addressing ?? (store.endpoint === undefined ? 'Virtual' : 'Path'),
    ...(store.secretRef ? { credentials: `${PATHS.stores}/${store.name}` } : {}),
  };
}

function resolve(
  spec: PipelineRunSpec,
  location: Pick<Location, 'store' | 'bucket' | 'prefix'>,
): WorkerLocation {
  return {
    store: storeOf(spec, location)?.name ?? '',
    bucket: location.bucket,
    prefix: location.prefix ?? '',
  };
}

/** `{runUID}`, `{run}`, `{stage}` and `{index}` in an output's prefix; any other brace is literal. */
function fillPrefix(prefix: string, names: RunNames & { stage: string; index: number }): string {
  const values: Record<string, string> = {
    runUID: names.runUID,
    run: names.run,
    stage: names.stage,
    index: String(names.index),
  };
  return prefix.replaceAll(/\{(runUID|run|stage|index)\}/g, (whole, name: string) => values[name] ?? whole);
}

export function workerSpecOf(spec: PipelineRunSpec, stage: Stage, names: RunNames): WorkerSpec {
  const stores = storesOf(spec, stage).map(workerStore);
  const workers = mostWorkers(stage);
  if (stage.copy) {
    const { source, destination } = stage.copy;
    const copy = {
      ...stage.copy,
      source: { ...source, ...resolve(spec, source) },
      destination: { ...destination, ...resolve(spec, destination) },
    };
    return { kind: 'copy', stores, workers, scratch: scratchOf(stage.resources).bytes, copy };
  }
  const member = stage.train ?? stage.container;
  return {
    kind: 'container',
    stores,
    workers,
    inputs: (member?.inputs ?? []).map((input, index) => ({
      directory: `${PATHS.inputs}/${index}`,
      ...(input.stage === undefined ? {} : { stage: input.stage }),
      ...(input.bucket === undefined ? {} : { location: resolve(spec, { ...input, bucket: input.bucket }) }),
    })),
    outputs: (member?.outputs ?? []).map((output, index) => {
      const location = resolve(spec, output);
      const prefix = fillPrefix(location.prefix, { ...names, stage: stage.name, index: 0 });
      return { directory: `${PATHS.outputs}/${index}`, location: { ...location, prefix } };
    }),
  };
}

/** Workers that a stage's Job starts with: the first of a copy makes the plan before there are others. */
export function startingWorkers(stage: Stage): number {
  return stageKind(stage) === 'copy' ? 1 : mostWorkers(stage);
}

/** Workers that a stage asks for; to a copy, the most that it gets. */
export function mostWorkers({ workers }: Stage): number {
  return workers ?? 1;
}
