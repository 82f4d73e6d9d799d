/**
 * `npm run docs`: writes docs/reference.md from where names are declared: conditions, reasons, events, labels, metrics and
 * fields. The page is made at build time and not committed.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LABEL } from '../operator/api/names.ts';
import { CONDITIONS, EVENT_REASONS, RUN_REASONS, STAGE_REASONS } from '../operator/api/reasons.ts';
import { createMetrics } from '../operator/telemetry/registry.ts';
import { version } from '../workers/contract/version.ts';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const named = (entries: Readonly<Record<string, string>>): string[][] =>
  Object.entries(entries).map(([name, sentence]) => [`\`${name}\``, sentence]);

async function metricRows(): Promise<string[][]> {
  const metrics = await createMetrics({
    version,
    node: process.versions.node,
    processMetrics: false,
  }).registry.getMetricsAsJSON();
  return metrics.map(({ name, type, help }) => [`\`${name}\``, String(type), help]);
}

const page = `# Reference

Made by \`npm run docs\`; every entry is declared once in the sources, with its sentence.
Fields: \`kubectl explain pipelineruns.ebbflow.dev --recursive\`. Values of the chart: charts/ebbflow/values.yaml. Environment of the operator: operator/config.ts.

## Conditions of a PipelineRun

${table(['type', 'meaning'], named(CONDITIONS))}

## Reasons of a run

${table(['reason', 'meaning'], named(RUN_REASONS))}

## Reasons of a stage

${table(['reason', 'meaning'], named(STAGE_REASONS))}

## Events

${table(['reason', 'meaning'], named(EVENT_REASONS))}

## Labels

${table(
  ['key', 'label'],
  Object.entries(LABEL).map(([key, label]) => [key, `\`${label}\``]),
)}

## Metrics

${table(['name', 'type', 'meaning'], await metricRows())}
`;
const file = join(import.meta.dirname, 'reference.md');
writeFileSync(file, page);
console.log(`wrote ${file}`);
