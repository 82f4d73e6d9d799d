/**
 * The rules between fields in code: one check for each CEL rule of rules.ts that concerns a single object, with the
 * same message and a more precise path.
 */
import type { EnvVar, Placement } from './common.ts';
import type { ContainerStage, Input } from './containerstage.ts';
import type { CopyStage } from './copystage.ts';
import { storeOf } from './defaults.ts';
import type { PipelineRunSpec, Stage } from './pipelinerun.ts';
import * as rule from './rules.ts';
import type { Location } from './stores.ts';

/** Something wrong with a spec. */
export interface Problem {
  /** Where, as the API server writes it: `spec.stages[0].copy.source.store`. */
  path: string;
  /** What is wrong and what to change. */
  message: string;
}

type Check = (broken: boolean, path: string, rule: { message: string }) => void;

/** Every broken rule between the fields of a spec whose shape is right. */
export function checkFields(spec: PipelineRunSpec): Problem[] {
  const problems: Problem[] = [];
  const check: Check = (broken, path, { message }) => {
    if (broken) problems.push({ path, message });
  };
  checkPlacement(spec.placement, 'spec.placement', check);
  const names = new Set(spec.stages.map((stage) => stage.name));
  spec.stages.forEach((stage, index) => {
    const at = `spec.stages[${index}]`;
    stage.dependsOn?.forEach((name, i) =>
      check(!names.has(name), `${at}.dependsOn[${i}]`, rule.knownDependencies),
    );
    checkStage(stage, at, check);
    checkStores(spec, stage, at, check);
  });
  return problems;
}

function checkStage(stage: Stage, at: string, check: Check): void {
  const kinds = [stage.copy, stage.train, stage.container].filter((member) => member !== undefined);
  check(kinds.length !== 1, at, rule.oneKind);
  const dependencies = stage.dependsOn ?? [];
  check(dependencies.includes(stage.name), `${at}.dependsOn`, rule.noSelfDependency);
  checkPlacement(stage.placement, `${at}.placement`, check);
  if (stage.copy) checkCopy(stage.copy, dependencies, `${at}.copy`, check);
  if (stage.train) checkContainer(stage.train, dependencies, `${at}.train`, check);
  if (stage.container) checkContainer(stage.container, dependencies, `${at}.container`, check);
}

function checkCopy(copy: CopyStage, dependencies: readonly string[], at: string, check: Check): void {
  const { keyList, ledgerOf } = copy.source;
  check(keyList !== undefined && ledgerOf !== undefined, `${at}.source`, rule.oneKeySource);
  const known = ledgerOf === undefined || rule.UID_REGEXP.test(ledgerOf) || dependencies.includes(ledgerOf);
  check(!known, `${at}.source.ledgerOf`, rule.ledgerStage);
  const sampled = copy.samplePercent === undefined || copy.verify === 'Sample';
  check(!sampled, `${at}.samplePercent`, rule.sampleNeedsVerify);
}

function checkContainer(
  stage: ContainerStage,
  dependencies: readonly string[],
  at: string,
  check: Check,
): void {
  stage.inputs?.forEach((input, i) => {
    const here = `${at}.inputs[${i}]`;
    check((input.stage !== undefined) === (input.bucket !== undefined), here, rule.inputOrigin);
    const alone = input.stage === undefined || (input.store === undefined && input.prefix === undefined);
    check(!alone, here, rule.inputStageAlone);
    const named = input.stage === undefined || dependencies.includes(input.stage);
    check(!named, `${here}.stage`, rule.inputStages);
  });
  stage.env?.forEach((variable, i) => checkVariable(variable, `${at}.env[${i}]`, check));
  const inputs = (stage.inputs ?? []).map((input) => input.path);
  const outputs = (stage.outputs ?? []).map((output) => output.path);
  check(
    inputs.some((path) => outputs.includes(path)),
    at,
    rule.distinctPaths,
  );
  check(
    [...inputs, ...outputs].some((path) => rule.RESERVED_REGEXP.test(path)),
    at,
    rule.freePaths,
  );
}

function checkVariable(variable: EnvVar, at: string, check: Check): void {
  check(variable.value !== undefined && variable.valueFrom !== undefined, at, rule.envOrigin);
  if (variable.valueFrom === undefined) return;
  const { secretKeyRef, configMapKeyRef, fieldRef } = variable.valueFrom;
  const sources = [secretKeyRef, configMapKeyRef, fieldRef].filter((source) => source !== undefined);
  check(sources.length !== 1, `${at}.valueFrom`, rule.envSource);
}

function checkPlacement(placement: Placement | undefined, at: string, check: Check): void {
  placement?.tolerations?.forEach((toleration, i) => {
    const here = `${at}.tolerations[${i}]`;
    const exists = toleration.operator === 'Exists';
    check(!toleration.key && !exists, here, rule.tolerationKey);
    check(exists && !!toleration.value, here, rule.tolerationValue);
    const bounded = toleration.tolerationSeconds === undefined || toleration.effect === 'NoExecute';
    check(!bounded, here, rule.tolerationSeconds);
  });
}

function checkStores(spec: PipelineRunSpec, stage: Stage, at: string, check: Check): void {
  const isUnknown = (location: Pick<Location, 'store'>) => storeOf(spec, location) === undefined;
  if (stage.copy) {
    check(isUnknown(stage.copy.source), `${at}.copy.source.store`, rule.copyStores.source);
    check(isUnknown(stage.copy.destination), `${at}.copy.destination.store`, rule.copyStores.destination);
  }
  for (const kind of ['train', 'container'] as const) {
    const needsStore = (input: Input) => input.stage === undefined && isUnknown(input);
    stage[kind]?.inputs?.forEach((input, i) =>
      check(needsStore(input), `${at}.${kind}.inputs[${i}].store`, rule.containerStores[kind].inputs),
    );
    stage[kind]?.outputs?.forEach((output, i) =>
      check(isUnknown(output), `${at}.${kind}.outputs[${i}].store`, rule.containerStores[kind].outputs),
    );
  }
}
