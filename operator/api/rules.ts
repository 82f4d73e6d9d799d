/**
 * Rules between fields, in CEL. The API server runs them; crossfield.ts holds the same rules in code, with the same
 * messages, for those who have no API server at hand. Shape, types and bounds are in the schemas themselves.
 */

/** One entry of x-kubernetes-validations. `self` is the value that the rule is attached to. */
export interface Rule {
  rule: string;
  /** What is wrong and what to change, in one sentence. */
  message: string;
}

const UID_PATTERN = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
export const UID_REGEXP = new RegExp(UID_PATTERN);

export const nameLength: Rule = {
  rule: 'self.metadata.name.size() <= 63',
  message: 'metadata.name must have at most 63 characters: choose a shorter name',
};

export const oneKind: Rule = {
  rule: '(has(self.copy) ? 1 : 0) + (has(self.train) ? 1 : 0) + (has(self.container) ? 1 : 0) == 1',
  message: 'set exactly one of copy, train and container in each stage',
};

export const noSelfDependency: Rule = {
  rule: '!has(self.dependsOn) || !(self.name in self.dependsOn)',
  message: 'a stage cannot depend on itself: remove its own name from dependsOn',
};

export const knownDependencies: Rule = {
  rule: 'self.stages.all(s, !has(s.dependsOn) || s.dependsOn.all(d, self.stages.exists(t, t.name == d)))',
  message: 'dependsOn must name stages of this run: correct the name, or add the stage',
};

export const inputStages: Rule = {
  rule: ['train', 'container']
    .map(
      (kind) =>
        `(!has(self.${kind}) || !has(self.${kind}.inputs) || self.${kind}.inputs.all(i, !has(i.stage) || (has(self.dependsOn) && i.stage in self.dependsOn)))`,
    )
    .join(' && '),
  message: 'an input may only take from a stage that is in dependsOn: add that stage to dependsOn',
};

export const ledgerStage: Rule = {
  rule: `!has(self.copy) || !has(self.copy.source.ledgerOf) || self.copy.source.ledgerOf.matches('${UID_PATTERN}') || (has(self.dependsOn) && self.copy.source.ledgerOf in self.dependsOn)`,
  message:
    'copy.source.ledgerOf must be the UID of another run, or a stage that is in dependsOn: add that stage to dependsOn',
};

/** Whether the location `at` names a store, or needs not to, as a CEL expression over the spec. */
function storeIsKnown(at: string): string {
  return `has(self.stores) && (has(${at}.store) ? self.stores.exists(t, t.name == ${at}.store) : self.stores.size() == 1)`;
}

function knownStore(field: string, rule: string): Rule {
  const message = `${field} must be in a store of spec.stores: name it in store; only when there is exactly one may store be left out`;
  return { rule, message };
}

export const copyStores = {
  source: knownStore('copy.source', `self.stages.all(s, !has(s.copy) || (${storeIsKnown('s.copy.source')}))`),
  destination: knownStore(
    'copy.destination',
    `self.stages.all(s, !has(s.copy) || (${storeIsKnown('s.copy.destination')}))`,
  ),
};

function fileStores(kind: 'train' | 'container') {
  return {
    inputs: knownStore(
      `${kind}.inputs`,
      `self.stages.all(s, !has(s.${kind}) || !has(s.${kind}.inputs) || s.${kind}.inputs.all(i, has(i.stage) || (${storeIsKnown('i')})))`,
    ),
    outputs: knownStore(
      `${kind}.outputs`,
      `self.stages.all(s, !has(s.${kind}) || !has(s.${kind}.outputs) || s.${kind}.outputs.all(o, ${storeIsKnown('o')}))`,
    ),
  };
}
export const containerStores = { train: fileStores('train'), container: fileStores('container') };

export const inputOrigin: Rule = {
  rule: 'has(self.stage) != has(self.bucket)',
  message: 'set exactly one of stage and bucket: an input is what a stage wrote, or a location',
};

export const inputStageAlone: Rule = {
  rule: '!has(self.stage) || (!has(self.store) && !has(self.prefix))',
  message: 'store and prefix belong to a bucket: leave them out beside stage',
};

/** Inputs among themselves, and outputs, are told apart by being maps by path: a rule would take the API server seconds. */
export const distinctPaths: Rule = {
  rule: '!has(self.inputs) || !has(self.outputs) || self.inputs.all(i, !self.outputs.exists(o, o.path == i.path))',
  message: 'every input and output needs its own path: change one of the two that are equal',
};

const RESERVED = '^/(ebbflow|proc|sys|dev)(/|$)';
export const RESERVED_REGEXP = new RegExp(RESERVED);

export const freePaths: Rule = {
  rule: ['inputs', 'outputs']
    .map((list) => `(!has(self.${list}) || self.${list}.all(m, !m.path.matches('${RESERVED}')))`)
    .join(' && '),
  message: 'paths under /ebbflow, /proc, /sys and /dev are taken: choose another path',
};

export const envOrigin: Rule = {
  rule: '!has(self.value) || !has(self.valueFrom)',
  message: 'set value or valueFrom, not both',
};

export const envSource: Rule = {
  rule: '(has(self.secretKeyRef) ? 1 : 0) + (has(self.configMapKeyRef) ? 1 : 0) + (has(self.fieldRef) ? 1 : 0) == 1',
  message: 'set exactly one of secretKeyRef, configMapKeyRef and fieldRef in valueFrom',
};

export const tolerationKey: Rule = {
  rule: "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
  message: 'a toleration without key tolerates every taint: set operator to Exists, or name a key',
};

export const tolerationValue: Rule = {
  rule: "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
  message: 'operator Exists takes no value: remove value, or set operator to Equal',
};

export const tolerationSeconds: Rule = {
  rule: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
  message: 'tolerationSeconds needs effect NoExecute: set it, or remove tolerationSeconds',
};

export const oneKeySource: Rule = {
  rule: '!has(self.keyList) || !has(self.ledgerOf)',
  message: 'set keyList or ledgerOf, not both: each says where the keys come from',
};

export const sampleNeedsVerify: Rule = {
  rule: "!has(self.samplePercent) || (has(self.verify) && self.verify == 'Sample')",
  message: 'samplePercent needs verify: Sample; set it, or remove samplePercent',
};

export const cancelOneWay: Rule = {
  rule: '!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)',
  message: 'cancel cannot be taken back: create a new PipelineRun instead',
};

/** Forbids any change of one member of spec, and adding or removing it. */
export function immutable(field: string): Rule {
  return {
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `${field} cannot be changed after creation (only suspend and cancel can): create a new PipelineRun instead`,
  };
}

/** The rules of a schema in the form of zod's metadata. */
export function rules(...list: readonly Rule[]): { 'x-kubernetes-validations': Rule[] } {
  return { 'x-kubernetes-validations': [...list] };
}
