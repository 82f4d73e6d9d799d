/** Which stages of a run copy, and what became of those that have no failed object to name. Pure. */
import type { RunReply } from '../workers/contract/resultsapi.ts';
import { CliError } from './errors.ts';

export interface CopyStage {
  readonly name: string;
  readonly state: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

/** The copy stages of a run, or the one that was asked for. @throws CliError when there is no such copy. */
export function copyStages(reply: RunReply, only: string | undefined): readonly CopyStage[] {
  const uid = 'record' in reply ? reply.record.run.uid : reply.live.uid;
  const next = `ebbflow results show ${uid}`;
  const all = 'record' in reply ? reply.record.stages : reply.live.stages;
  if (only !== undefined && !all.some(({ name }) => name === only)) {
    const names = all.map(({ name }) => name).join(', ');
    throw new CliError('NoStage', `the run has no stage ${only}; it has ${names}`, { next });
  }
  const copies =
    'record' in reply
      ? reply.record.stages.filter(({ kind }) => kind === 'copy')
      : // What a stage is, only its progress tells while the run goes on, or the reason for which it was refused.
        reply.live.stages.filter(
          ({ name, progress, reason }) =>
            name === only || progress?.unit === 'objects' || reason === 'PlanRefused',
        );
  const wanted = copies.filter(({ name }) => only === undefined || name === only);
  if (wanted.length > 0 || !('record' in reply)) return wanted;
  throw new CliError(
    'NoCopy',
    only === undefined ? 'the run has no copy stage' : `stage ${only} is no copy`,
    {
      next,
    },
  );
}

/** Why a stage without failed objects has not copied all the same; undefined when nothing is wrong with it. */
export function explainNothing(stage: CopyStage, hasLedger: boolean): string | undefined {
  const { name, state, reason, message } = stage;
  const why = message === undefined || message === '' ? (reason ?? state) : message;
  if (state === 'Failed' && reason === 'PlanRefused')
    return `the copy of stage ${name} was refused before its first object: ${why}`;
  if (state === 'Failed') return `stage ${name} failed, but not for an object that can be named: ${why}`;
  if (hasLedger || state === 'Succeeded') return undefined;
  if (state === 'Skipped' || state === 'Canceled')
    return `stage ${name} was ${state.toLowerCase()} and has copied nothing: ${why}`;
  return undefined;
}
