/** The demo's last word: what was measured, whether it is all that was promised, and how it reads. Pure. */
import { formatSeconds } from './live.ts';

/** What `--json FILE` writes. */
export interface Receipt {
  /** Whether everything that the demo promises was seen; `problems` says what was not. */
  readonly succeeded: boolean;
  readonly problems: readonly string[];
  readonly run: { readonly namespace: string; readonly name: string; readonly result: string };
  readonly stages: readonly { readonly name: string; readonly state: string; readonly seconds: number }[];
  readonly copy: {
    /** Copied and renamed, as the run's record says. */
    readonly objects: number;
    readonly renamed: number;
    readonly bytes: number;
    /** Seeded keys whose right new name the destination's own listing has. */
    readonly found: number;
    readonly seeded: number;
  };
  readonly train: { readonly accuracy: number; readonly heldOut: number; readonly images: number };
  /** As the demo's own watch saw them; `recorded` is what the operator wrote into nodes.json. */
  readonly nodes: Figures & { readonly recorded: Figures | null };
  readonly left: { readonly objects: number; readonly nodes: number };
  readonly seconds: {
    /** From `kubectl apply` to the first line that a worker wrote. */
    readonly applyToFirstWorkerLine: number;
    /** From the end of the last container to no object of the run being left. */
    readonly lastExitToObjectsGone: number;
    /** From the end of the last container to no object of the run and no worker node being left. */
    readonly lastExitToNothingLeft: number;
    /** From the start of the command to `kubectl apply`: everything that is set up. */
    readonly setup: number;
    /** From `kubectl apply` to nothing left. */
    readonly run: number;
    /** From the start of the command to this receipt. */
    readonly total: number;
  };
  readonly results: { readonly uid: string; readonly location: string };
  /** The training log as `ebbflow logs` reads it from the store after everything is gone. */
  readonly logs: { readonly lines: number; readonly last: string };
}

export interface Figures {
  readonly launched: number;
  readonly nodeSeconds: number;
}

/** Anything measured may be missing where the run went wrong. */
export type Facts = {
  readonly [K in keyof Omit<Receipt, 'succeeded' | 'problems'>]: Receipt[K] extends readonly unknown[]
    ? Receipt[K]
    : { readonly [F in keyof Receipt[K]]: Receipt[K][F] | undefined };
};

/** What the last line of a training that came to its end begins with. */
const lastWords = 'held-out accuracy';

const leastAccuracy = 0.95;

/** Two clocks and two watches: what they say of one node may differ by this many seconds. */
const nodeTolerance = 3;

/** Everything that the demo promises and that is not so; empty when all is. */
export function findProblems(facts: Facts): string[] {
  const { run, copy, train, nodes, left, seconds, results, logs } = facts;
  const problems: string[] = [];
  const demand = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  demand(run.result === 'Succeeded', `the run ended as ${run.result ?? 'nothing: it did not end'}`);
  demand(
    copy.objects === copy.seeded && copy.renamed === copy.seeded,
    `${copy.objects ?? 'no'} objects copied and ${copy.renamed ?? 'none'} renamed of ${copy.seeded}`,
  );
  demand(
    copy.found === copy.seeded,
    `the destination lists ${copy.found ?? 'none'} of the ${copy.seeded} expected keys`,
  );
  demand(
    (train.accuracy ?? 0) > leastAccuracy,
    `held-out accuracy is ${train.accuracy ?? 'unknown'}, not > ${leastAccuracy}`,
  );
  demand((nodes.launched ?? 0) > 0, 'no worker node was seen');
  demand(left.objects === 0, `${left.objects ?? 'an unknown number of'} objects of the run are left`);
  demand(left.nodes === 0, `${left.nodes ?? 'an unknown number of'} worker nodes are left`);
  demand(seconds.applyToFirstWorkerLine !== undefined, 'no line of a worker was seen');
  demand(seconds.lastExitToNothingLeft !== undefined, 'the end of the last container was not seen');
  demand(results.uid !== undefined, 'the run has no UID');
  demand(
    logs.last?.includes(lastWords) ?? false,
    `the stored log of the training does not end with its result but with: ${logs.last ?? 'nothing'}`,
  );
  const recorded = nodes.recorded ?? undefined;
  demand(recorded !== undefined, 'the store has no nodes.json of the run');
  if (recorded !== undefined) {
    const apart = Math.abs(recorded.nodeSeconds - (nodes.nodeSeconds ?? 0));
    demand(
      recorded.launched === nodes.launched && apart <= nodeTolerance * recorded.launched,
      `nodes.json says ${recorded.launched} nodes and ${recorded.nodeSeconds} s, the demo saw ${nodes.launched} and ${nodes.nodeSeconds} s`,
    );
  }
  return problems;
}

/** The facts as a receipt: what was never measured becomes -1, which no measurement can be. */
export function makeReceipt(facts: Facts): Receipt {
  const problems = findProblems(facts);
  const { run, copy, train, nodes, left, seconds, results } = facts;
  const number = (value: number | undefined): number => value ?? -1;
  return {
    succeeded: problems.length === 0,
    problems,
    run: { namespace: run.namespace ?? '', name: run.name ?? '', result: run.result ?? '' },
    stages: facts.stages,
    copy: {
      objects: number(copy.objects),
      renamed: number(copy.renamed),
      bytes: number(copy.bytes),
      found: number(copy.found),
      seeded: number(copy.seeded),
    },
    train: { accuracy: number(train.accuracy), heldOut: number(train.heldOut), images: number(train.images) },
    nodes: {
      launched: number(nodes.launched),
      nodeSeconds: number(nodes.nodeSeconds),
      recorded: nodes.recorded ?? null,
    },
    left: { objects: number(left.objects), nodes: number(left.nodes) },
    seconds: {
      applyToFirstWorkerLine: number(seconds.applyToFirstWorkerLine),
      lastExitToObjectsGone: number(seconds.lastExitToObjectsGone),
      lastExitToNothingLeft: number(seconds.lastExitToNothingLeft),
      setup: number(seconds.setup),
      run: number(seconds.run),
      total: number(seconds.total),
    },
    results: { uid: results.uid ?? '', location: results.location ?? '' },
    logs: { lines: number(facts.logs.lines), last: facts.logs.last ?? '' },
  };
}

function describe(value: number, words: (known: number) => string): string {
  return value < 0 ? 'not seen' : words(value);
}

/** The receipt for people. */
export function renderReceipt(receipt: Receipt): string[] {
  const { run, stages, copy, train, nodes, left, seconds, results } = receipt;
  const rows: [string, string][] = [
    ['run', `${run.namespace}/${run.name}: ${run.result || 'did not end'}`],
    ...stages.map((stage): [string, string] => [
      `stage ${stage.name}`,
      `${stage.state}, ${describe(stage.seconds, formatSeconds)}`,
    ]),
    [
      'copied',
      describe(
        copy.objects,
        (n) =>
          `${n} objects, ${copy.renamed} renamed, ${copy.bytes} bytes; the destination lists ${copy.found} of ${copy.seeded} expected keys`,
      ),
    ],
    [
      'trained',
      describe(
        train.accuracy,
        (n) => `held-out accuracy ${n.toFixed(4)} on ${train.heldOut} of ${train.images} images`,
      ),
    ],
    [
      'nodes',
      `${nodes.launched} launched, ${nodes.nodeSeconds} node-seconds${nodes.recorded === null ? '' : ` (nodes.json: ${nodes.recorded.launched}, ${nodes.recorded.nodeSeconds})`}`,
    ],
    [
      'left',
      `objects with the run's label: ${describe(left.objects, String)}, worker nodes: ${describe(left.nodes, String)}`,
    ],
    ['apply to first worker line', describe(seconds.applyToFirstWorkerLine, formatSeconds)],
    ['last exit to objects gone', describe(seconds.lastExitToObjectsGone, formatSeconds)],
    ['last exit to nothing left', describe(seconds.lastExitToNothingLeft, formatSeconds)],
    [
      'set-up, run, all',
      [seconds.setup, seconds.run, seconds.total].map((s) => describe(s, formatSeconds)).join(', '),
    ],
    [
      'log of train, from the store',
      describe(receipt.logs.lines, (n) => `${n} lines, the last: ${receipt.logs.last}`),
    ],
    ['results', `${results.uid} in ${results.location}`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    ...rows.map(([name, words]) => `  ${name.padEnd(width)}  ${words}`),
    ...receipt.problems.map((problem) => `  NOT AS PROMISED: ${problem}`),
  ];
}
