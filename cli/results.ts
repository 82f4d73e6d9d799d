/** `ebbflow results list` and `ebbflow results show`: answers as text. Pure. */
import type { LiveRun, RunReply, RunsReply } from '../workers/contract/resultsapi.ts';
import { formatAge, formatBytes, formatDuration, formatSpan, formatTable, formatUnits } from './format.ts';
import { escapeControls } from './printable.ts';

type Recorded = Extract<RunReply, { record: unknown }>;

export function printRuns(reply: RunsReply, now: Date): string {
  if (reply.live.length === 0 && reply.runs.length === 0)
    return reply.indexComplete
      ? 'No run fits. Runs that exist: kubectl get pipelineruns.ebbflow.dev --all-namespaces\n'
      : 'The index is still being made from the bucket; try again in a moment.\n';
  const live = reply.live.map((run) => [
    run.uid,
    run.namespace,
    run.name,
    run.reason,
    formatAge(run.startedAt, now),
    formatSpan(run.startedAt, now.toISOString()),
    '-',
    '-',
  ]);
  const finished = reply.runs.map((run) => [
    run.uid,
    run.namespace,
    run.name,
    run.reason === run.result ? run.result : `${run.result} (${run.reason})`,
    formatAge(run.startedAt, now),
    formatSpan(run.startedAt, run.finishedAt),
    `${run.nodes} (${formatDuration(run.nodeSeconds)})`,
    run.logsComplete ? 'complete' : 'with gaps',
  ]);
  const head = ['UID', 'NAMESPACE', 'NAME', 'RESULT', 'STARTED', 'TOOK', 'NODES', 'LOGS'];
  const more = reply.next === null ? '' : `There are more: ebbflow results list --after ${reply.next}\n`;
  const building = reply.indexComplete ? '' : 'The index is still being made: older runs may be missing.\n';
  return formatTable(head, [...live, ...finished]) + more + building;
}

export function printRun(reply: RunReply, now: Date): string {
  return 'record' in reply ? printRecord(reply, now) : printLive(reply.live, now);
}

function printLive(run: LiveRun, now: Date): string {
  const stages = run.stages.map((stage) => [
    stage.name,
    stage.state,
    stage.reason ?? '-',
    formatSpan(stage.startTime, stage.completionTime ?? now.toISOString()),
    stage.progress === undefined
      ? '-'
      : `${stage.progress.done}/${stage.progress.total} ${stage.progress.unit}`,
  ]);
  return (
    heading(run.namespace, run.name, run.uid) +
    `  state     ${escapeControls(`${run.reason} ${run.message}`.trim())}\n` +
    `  started   ${formatAge(run.startedAt, now)}\n\n` +
    `${formatTable(['STAGE', 'STATE', 'REASON', 'TOOK', 'PROGRESS'], stages)}\n` +
    `Follow its logs: ebbflow logs ${run.uid} --follow\n`
  );
}

function heading(namespace: string, name: string, uid: string): string {
  return `${escapeControls(`${namespace}/${name}`)}  ${uid}\n`;
}

function printRecord({ record, location }: Recorded, now: Date): string {
  const { run, outcome, nodes } = record;
  const stages = record.stages.map((stage) => [
    stage.name,
    stage.kind,
    stage.reason === undefined || stage.reason === stage.state
      ? stage.state
      : `${stage.state} (${stage.reason})`,
    formatSpan(stage.startTime, stage.completionTime),
    String(stage.attempts.length),
    producedBy(stage),
    logsOf(stage),
  ]);
  const lines = [
    ['result', outcome.reason === outcome.result ? outcome.result : `${outcome.result} (${outcome.reason})`],
    ['message', outcome.message ?? ''],
    ['pipeline', run.pipeline],
    ['started', `${record.startTime} (${formatAge(record.startTime, now)})`],
    ['took', formatSpan(record.startTime, outcome.time)],
    ['nodes', `${nodes.launched} launched, ${formatDuration(nodes.nodeSeconds)} in all`],
    ['stored at', location],
    ...record.discrepancies.map((text) => ['but', text]),
  ].filter(([, value]) => value !== '');
  const facts = lines
    .map(([name = '', value = '']) => `  ${name.padEnd(10)}${escapeControls(value)}\n`)
    .join('');
  const failed = record.stages.find(({ state, message }) => state === 'Failed' && message !== undefined);
  const why = failed === undefined ? '' : `\n${escapeControls(`${failed.name}: ${failed.message}`)}\n`;
  const head = ['STAGE', 'KIND', 'STATE', 'TOOK', 'WORKERS', 'RESULT', 'LOGS'];
  return (
    `${heading(run.namespace, run.name, run.uid)}${facts}\n${formatTable(head, stages)}${why}\n` +
    `Read its logs: ebbflow logs ${run.uid}\n`
  );
}

type RecordedStage = Recorded['record']['stages'][number];

function producedBy({ copy, outputs }: RecordedStage): string {
  if (copy !== undefined) {
    const failed = copy.failed === 0 ? '' : `, ${copy.failed} failed`;
    return `${copy.copied} copied, ${copy.renamed} renamed, ${copy.skipped} there before${failed}`;
  }
  return outputs === undefined ? '-' : `${formatUnits(outputs.files, 'file')}, ${formatBytes(outputs.bytes)}`;
}

function logsOf({ attempts }: RecordedStage): string {
  const logs = attempts.flatMap(({ logs: found }) => (found === undefined ? [] : [found]));
  const lines = logs.reduce((sum, found) => sum + found.lines, 0);
  const stored = logs.reduce((sum, found) => sum + found.storedBytes, 0);
  const gaps = logs.every(({ complete }) => complete) ? '' : ', with gaps';
  return `${formatUnits(lines, 'line')}, ${formatBytes(stored)}${gaps}`;
}
