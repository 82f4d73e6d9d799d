/** Why no log of a run fits what was asked for. Pure. */
import type { LogFilter } from './sources.ts';

/** What a run has, whatever was asked for: the names of its stages, and the workers that have left a log. */
export interface LogPlaces {
  readonly stages: readonly string[];
  readonly workers: readonly { readonly stage: string; readonly index: number }[];
}

/** Names the first thing that does not fit; the end of a sentence. */
export function explainNoLogs({ stages, workers }: LogPlaces, filter: LogFilter): string {
  const { stage, index, container } = filter;
  if (stage !== undefined && !stages.includes(stage))
    return `the run has no stage ${stage}; it has ${stages.join(', ')}.`;
  if (workers.length === 0) return 'no worker of the run has left one.';
  const ofStage = workers.filter((worker) => stage === undefined || worker.stage === stage);
  if (ofStage.length === 0) return `no worker of stage ${stage} has left one.`;
  const whose = stage === undefined ? 'the run' : `stage ${stage}`;
  const there = ofStage.filter((worker) => index === undefined || worker.index === index);
  if (there.length === 0) {
    const last = Math.max(...ofStage.map((worker) => worker.index));
    return `${whose} has none of worker ${index}; ${last === 0 ? 'there is worker 0' : `workers go up to ${last}`}.`;
  }
  const worker = index === undefined ? `a worker of ${whose}` : `worker ${index} of ${whose}`;
  return container === undefined
    ? `${worker} has written nothing.`
    : `no container ${container} of ${worker} has left one.`;
}
