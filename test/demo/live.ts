/** What the demo shows while a run goes on: state to lines of text, pure. */
import type { StageStatus } from '../../operator/api/status.ts';
import { isTerminal } from '../../operator/api/status.ts';

export interface SeenNode {
  readonly name: string;
  readonly instanceType: string;
  /** Milliseconds since 1970, as are all times here. */
  readonly createdAt: number;
  readonly readyAt?: number;
  readonly goneAt?: number;
}

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly unit: string;
  /** When this counting began and what it began with: waiting before it says nothing about its pace. */
  readonly since?: number;
  readonly first?: number;
}

export interface LiveView {
  readonly name: string;
  readonly appliedAt: number;
  /** What `kubectl get ebb -o wide` says as its message. */
  readonly doing: string;
  readonly stages: readonly StageStatus[];
  /** Newer than the status where a stage's own log tells it, by stage. */
  readonly progress: ReadonlyMap<string, Progress>;
  /** The newest log line of each stage. */
  readonly lastLines: ReadonlyMap<string, string>;
  readonly nodes: readonly SeenNode[];
  /** Objects that carry the run's label right now. */
  readonly jobs: number;
  readonly pods: number;
  /** `True`, `False` or `Unknown` by condition type. */
  readonly conditions: ReadonlyMap<string, { readonly status: string; readonly reason: string }>;
}

/** `8.4 s`, `47 s`, `3 min 20 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** A bar of `width` characters; full only when all is done. */
export function drawBar({ done, total }: Progress, width: number): string {
  const share = total > 0 ? Math.min(done / total, 1) : 0;
  const full = share === 1 ? width : Math.min(Math.floor(share * width), width - 1);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
}

/** Seconds that are left if it goes on as it did since `startedAt`; undefined while nothing can be said. */
export function estimateSeconds(progress: Progress, startedAt: number, now: number): number | undefined {
  const { done, total } = progress;
  if (done <= 0 || total <= done || now <= startedAt) return undefined;
  return ((now - startedAt) / 1000 / done) * (total - done);
}

/** How far the stage is, by its own log where that says so. */
function progressOf(view: LiveView, stage: StageStatus): Progress | undefined {
  return view.progress.get(stage.name) ?? stage.progress;
}

function countTenths(progress: Progress | undefined): number {
  return progress === undefined || progress.total === 0
    ? 0
    : Math.floor((progress.done / progress.total) * 10);
}

function describeProgress(stage: StageStatus, view: LiveView, now: number): string {
  const progress = progressOf(view, stage);
  if (progress === undefined || progress.total === 0) return '';
  // What a stage last said before it ended may be old news.
  if (isTerminal(stage.state) && progress.done < progress.total) return '';
  const { since = stage.startTime === undefined ? now : Date.parse(stage.startTime), first = 0 } = progress;
  const counted = { ...progress, done: progress.done - first, total: progress.total - first };
  const eta = stage.state === 'Running' ? estimateSeconds(counted, since, now) : undefined;
  const left = eta === undefined ? '' : `  about ${formatSeconds(eta)} left`;
  return `${drawBar(progress, 24)} ${progress.done}/${progress.total} ${progress.unit}${left}`;
}

function describeStage(stage: StageStatus, view: LiveView, now: number, nameWidth: number): string[] {
  const from = stage.startTime === undefined ? undefined : Date.parse(stage.startTime);
  const until = stage.completionTime === undefined ? now : Date.parse(stage.completionTime);
  const took = from === undefined ? '' : formatSeconds(Math.max(0, until - from) / 1000);
  const head = `  ${stage.name.padEnd(nameWidth)}  ${stage.state.padEnd(12)} ${took.padStart(11)}`;
  const lines = [`${head}  ${describeProgress(stage, view, now)}`.trimEnd()];
  const said = isTerminal(stage.state) ? stage.message : (stage.message ?? view.lastLines.get(stage.name));
  const logLine = stage.state === 'Running' ? view.lastLines.get(stage.name) : undefined;
  const words = logLine ?? said ?? '';
  if (words !== '') lines.push(`  ${' '.repeat(nameWidth)}  ${words}`);
  return lines;
}

/** How long the node has existed and how it stands. */
export function describeNode(node: SeenNode, now: number): string {
  const age = formatSeconds(Math.max(0, (node.goneAt ?? now) - node.createdAt) / 1000);
  const state = node.goneAt !== undefined ? 'gone' : node.readyAt === undefined ? 'starting' : 'ready';
  return `${node.name}  ${node.instanceType}  ${state.padEnd(8)}  ${age}`;
}

/** The whole view, each line at most `width` characters. */
export function renderLive(view: LiveView, now: number, width: number): string[] {
  const nameWidth = Math.max(5, ...view.stages.map(({ name }) => name.length));
  const here = view.nodes.filter(({ goneAt }) => goneAt === undefined).length;
  const lines = [
    `PipelineRun ${view.name}  ${formatSeconds((now - view.appliedAt) / 1000)}  ${view.doing}`.trimEnd(),
    '',
    ...view.stages.flatMap((stage) => describeStage(stage, view, now, nameWidth)),
    '',
    `  worker nodes ${here}   Jobs ${view.jobs}   pods ${view.pods}`,
    ...view.nodes.map((node) => `    ${describeNode(node, now)}`),
  ];
  return lines.map((line) => (line.length <= width ? line : `${line.slice(0, width - 3)}...`));
}

/** What is worth a line of its own where no screen can be redrawn: changes from one view to the next. */
export function describeChanges(before: LiveView | undefined, after: LiveView): string[] {
  const changes: string[] = [];
  for (const stage of after.stages) {
    const old = before?.stages.find(({ name }) => name === stage.name);
    const changed = old?.state !== stage.state || old?.message !== stage.message;
    if (changed)
      changes.push(`stage ${stage.name}: ${stage.state}${stage.message ? `, ${stage.message}` : ''}`);
    const progress = progressOf(after, stage);
    const known = before === undefined || old === undefined ? undefined : progressOf(before, old);
    // Another unit is another thing that is being counted: it begins anew.
    const told = known?.unit === progress?.unit ? countTenths(known) : 0;
    if (progress !== undefined && countTenths(progress) > told)
      changes.push(`stage ${stage.name}: ${progress.done}/${progress.total} ${progress.unit}`);
  }
  for (const node of after.nodes) {
    const old = before?.nodes.find(({ name }) => name === node.name);
    if (old === undefined) changes.push(`node ${node.name} (${node.instanceType}) was created`);
    if (old?.readyAt === undefined && node.readyAt !== undefined) changes.push(`node ${node.name} is ready`);
    if (old?.goneAt === undefined && node.goneAt !== undefined) changes.push(`node ${node.name} is gone`);
  }
  for (const [type, { status, reason }] of after.conditions) {
    if (before?.conditions.get(type)?.status !== status) changes.push(`${type} is ${status}: ${reason}`);
  }
  return changes;
}
