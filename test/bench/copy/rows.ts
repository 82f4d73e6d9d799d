import type { Measured } from './measure.ts';

/** One line of the table. `holds` is there exactly where there is a target. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: string;
  readonly holds?: boolean;
}

export type Target = { readonly least: number } | { readonly most: number };

/** A line; the value is judged as it was measured and shown with three significant digits. */
export function makeRow(name: string, value: number, unit: string, target?: Target): BenchRow {
  const shown = value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  if (target === undefined) return { name, value: shown, unit };
  if ('least' in target) {
    return { name, value: shown, unit, target: `>= ${target.least}`, holds: value >= target.least };
  }
  return { name, value: shown, unit, target: `<= ${target.most}`, holds: value <= target.most };
}

export const contenderNames = ['ebbflow', 's5cmd', 'rclone'] as const;
export type ContenderName = (typeof contenderNames)[number];

/** What copying one set of objects took, each the median of its rounds. */
export interface SetResult {
  readonly set: string;
  readonly objects: number;
  /** Bytes of each object. */
  readonly size: number;
  readonly of: Readonly<Record<ContenderName, CopyFigures>>;
}

export interface CopyFigures {
  readonly objectsPerSecond: number;
  readonly cpuMsPerObject: number;
  readonly peakMiB: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function figuresOf(rounds: readonly Measured[], objects: number): CopyFigures {
  const of = (pick: (measured: Measured) => number): number => median(rounds.map(pick));
  return {
    objectsPerSecond: of(({ seconds }) => objects / seconds),
    cpuMsPerObject: of(({ cpuSeconds }) => (cpuSeconds * 1000) / objects),
    peakMiB: of(({ peakBytes }) => peakBytes / 1024 ** 2),
  };
}

/** The lines of one set: figures of every program, then ours beside theirs. */
export function rowsOfSet({ set, size, of }: SetResult): BenchRow[] {
  const { ebbflow, s5cmd, rclone } = of;
  const rows = contenderNames.flatMap((name) => [
    makeRow(`${set}: ${name}, rate`, of[name].objectsPerSecond, 'objects/s'),
    makeRow(`${set}: ${name}, client CPU`, of[name].cpuMsPerObject, 'ms/object'),
    makeRow(`${set}: ${name}, peak memory`, of[name].peakMiB, 'MiB'),
  ]);
  const small = size < 1024 ** 2;
  const toS5cmd = ebbflow.objectsPerSecond / s5cmd.objectsPerSecond;
  const toBetter = ebbflow.objectsPerSecond / Math.max(s5cmd.objectsPerSecond, rclone.objectsPerSecond);
  const cpu = ebbflow.cpuMsPerObject / s5cmd.cpuMsPerObject;
  return [
    ...rows,
    makeRow(`${set}: rate beside s5cmd's`, toS5cmd, 'ratio', small ? { least: 1.3 } : undefined),
    makeRow(
      `${set}: rate beside the better of s5cmd and rclone`,
      toBetter,
      'ratio',
      small ? undefined : { least: 1 },
    ),
    makeRow(`${set}: client CPU per object beside s5cmd's`, cpu, 'ratio', small ? { most: 0.3 } : undefined),
  ];
}
