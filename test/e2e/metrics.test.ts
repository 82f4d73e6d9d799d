/** What the operator says to Prometheus, before and after a run. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodes, pods } from '../../operator/kube/resource.ts';
import { pipelineRuns } from '../../operator/pipelinerun/resource.ts';
import { type Bed, conditionOf, openBed, unique } from '../support/e2e/bed.ts';
import { NAMESPACE } from '../support/e2e/names.ts';
import { type Sample, scrape } from '../support/e2e/operator.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

/** Sum of the samples of a name that have these labels. */
function total(samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number {
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, sample) => sum + sample.value, 0);
}

/** Names and UIDs that grow without bound. */
async function forbidden(): Promise<Set<string>> {
  const lists = await Promise.all([
    bed.client.list(pipelineRuns, undefined),
    bed.client.list(pods, undefined),
    bed.client.list(nodes, undefined),
  ]);
  return new Set(
    lists.flatMap(({ items }) => items.flatMap(({ metadata }) => [metadata.name ?? '', metadata.uid ?? ''])),
  );
}

test('a run shows in the metrics with its figures, and never with its name', async () => {
  const pipeline = unique('metered');
  const name = unique('run');
  await bed.put('raw', Object.fromEntries([1, 2, 3].map((n) => [`${name}/${n}.txt`, `text ${n}`])));
  const before = await scrape(bed);
  expect(total(before, 'ebbflow_runs_total', { pipeline })).toBe(0);

  const uid = await bed.apply(name, {
    pipeline,
    stores: bed.stores,
    stages: [
      {
        name: 'arrange',
        copy: {
          source: { bucket: 'raw', prefix: `${name}/` },
          destination: { bucket: 'lake', prefix: `${name}/` },
        },
      },
      // Long enough to be seen: a state that lasts for less than a second need not be written.
      bed.shell('work', 'echo one; sleep 5', { dependsOn: ['arrange'] }),
      bed.shell('fail', 'exit 3', { dependsOn: ['arrange'], retry: { failures: 1 } }),
    ],
  });
  await bed.until(name, 'working', (run) => run.status?.stages?.[1]?.state === 'Running');
  const names = await forbidden();
  const during = await scrape(bed);
  const run = await bed.finished(name);
  const after = await scrape(bed);
  for (const word of await forbidden()) names.add(word);
  expect(conditionOf(run, 'Succeeded')).toMatchObject({ reason: 'StageFailed' });

  const mine = { namespace: NAMESPACE, pipeline };
  expect(total(during, 'ebbflow_runs', { ...mine, phase: 'Running' })).toBe(1);
  expect(total(after, 'ebbflow_runs', { ...mine, phase: 'StageFailed' })).toBe(1);
  expect(total(after, 'ebbflow_runs_total', { ...mine, result: 'Failed', reason: 'StageFailed' })).toBe(1);
  expect(total(after, 'ebbflow_runs_total', mine), 'counted once').toBe(1);
  expect(total(after, 'ebbflow_run_duration_seconds_count', mine)).toBe(1);
  expect(total(after, 'ebbflow_run_queue_seconds_count', mine)).toBe(1);
  const stages = [
    ['copy', 'Succeeded'],
    ['container', 'Succeeded'],
    ['container', 'Failed'],
  ] as const;
  for (const [kind, result] of stages)
    expect(total(after, 'ebbflow_stage_duration_seconds_count', { ...mine, kind, result })).toBe(1);
  expect(total(after, 'ebbflow_copy_objects_total', { ...mine, result: 'copied' })).toBe(3);
  expect(total(after, 'ebbflow_copy_bytes_total', mine)).toBe(18);

  const grown = (metric: string, labels: Record<string, string> = {}): number =>
    total(after, metric, labels) - total(before, metric, labels);
  expect(grown('ebbflow_node_wait_seconds_count', { kind: 'copy' })).toBeGreaterThanOrEqual(1);
  expect(grown('ebbflow_node_wait_seconds_count', { kind: 'container' })).toBeGreaterThanOrEqual(3);
  expect(grown('ebbflow_stage_retries_total', { kind: 'container', reason: 'Error' })).toBeGreaterThanOrEqual(
    1,
  );
  expect(grown('ebbflow_results_commit_seconds_count')).toBeGreaterThanOrEqual(1);
  expect(grown('ebbflow_log_raw_bytes_total')).toBeGreaterThan(0);
  expect(grown('controller_runtime_reconcile_total', { result: 'success' })).toBeGreaterThan(0);
  expect(grown('workqueue_adds_total')).toBeGreaterThan(0);
  expect(grown('workqueue_queue_duration_seconds_count')).toBeGreaterThan(0);
  expect(grown('workqueue_work_duration_seconds_count')).toBeGreaterThan(0);
  expect(grown('rest_client_requests_total')).toBeGreaterThan(0);
  expect(after.some((sample) => sample.name === 'workqueue_depth')).toBe(true);

  expect(names).toContain(uid);
  const told = [...before, ...during, ...after].flatMap(({ name: metric, labels }) =>
    Object.values(labels)
      .filter((word) => names.has(word))
      .map((word) => `${metric}: ${word}`),
  );
  expect(told, 'names in labels').toEqual([]);
});
