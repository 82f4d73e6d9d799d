/** What makes a spec impossible to run and the API server does not check. Pure. */
import { stageKind } from '../api/defaults.ts';
import type { PipelineRunSpec } from '../api/pipelinerun.ts';
import { validateSpec } from '../api/validate.ts';
import { parseRules } from '../../workers/contract/rename.ts';

/** Sentences that say what, where and what to do; empty for a spec that can be run. */
export function problemsOf(spec: PipelineRunSpec, name: string): string[] {
  const rules = validateSpec(spec, name).map(({ path, message }) =>
    path === '' ? message : `${path}: ${message}`,
  );
  if (rules.length > 0) return rules;
  return spec.stages.flatMap((stage, index) => [
    ...renameProblems(stage.copy?.rename ?? []).map((problem) => `stages[${index}].copy.${problem}`),
    ...gangProblems(stage).map((problem) => `stages[${index}].${problem}`),
  ]);
}

function renameProblems(rename: readonly { match: string; replace: string }[]): string[] {
  const parsed = parseRules(rename);
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message);
}

function gangProblems(stage: PipelineRunSpec['stages'][number]): string[] {
  const alone = stageKind(stage) === 'copy' || (stage.workers ?? 1) === 1;
  return alone
    ? []
    : [
        `workers: ${stageKind(stage)} stages run with one worker in this version: set workers to 1 or leave it out`,
      ];
}
