import { describe, expect, it } from 'vitest';
import { OTHER, RunLabelGuard } from '../../operator/telemetry/labels.ts';
import { createMetrics } from '../../operator/telemetry/registry.ts';

const build = { version: '0.0.0', node: '26' };

async function series(metrics: ReturnType<typeof createMetrics>): Promise<string[]> {
  const { body } = await metrics.expose();
  return body
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/ \S+$/, ''));
}

function value(body: string, name: string): number | undefined {
  const line = body.split('\n').find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

describe('names and help', () => {
  it('every metric has help, a base unit, and the suffix that its type asks for', async () => {
    const metrics = createMetrics(build);
    const problems: string[] = [];
    for (const { name, help, type } of await metrics.registry.getMetricsAsJSON()) {
      const own = !/^(nodejs|process)_/.test(name);
      if (help.length < 10) problems.push(`${name}: no help`);
      if (!own) continue;
      if (!help.endsWith('.')) problems.push(`${name}: help is no sentence`);
      const kind = String(type);
      if (kind === 'counter' && !name.endsWith('_total')) problems.push(`${name}: a counter ends in _total`);
      if (kind !== 'counter' && name.endsWith('_total')) problems.push(`${name}: ${kind} ends in _total`);
      if (kind === 'histogram' && !/_(seconds|bytes)$/.test(name)) problems.push(`${name}: no unit`);
      if (/_(ms|milliseconds|minutes|kb|mb|duration)(_total)?$/.test(name))
        problems.push(`${name}: not a base unit`);
      if (!/^(ebbflow|controller_runtime|workqueue|rest_client|leader_election|stale_sync|store)_/.test(name))
        problems.push(`${name}: unknown prefix`);
    }
    expect(problems).toEqual([]);
  });

  it('no metric has a label for a run, pod, node or UID', () => {
    const { instruments } = createMetrics(build);
    const forbidden = /^(run|run_?name|run_?uid|uid|pod|pod_?name|node_?name|instance|job|url|path|key)$/i;
    const labels = Object.values(instruments).flatMap((instrument): string[] => {
      const names: unknown = Reflect.get(instrument, 'labelNames');
      if (!Array.isArray(names)) throw new TypeError('this version of prom-client hides its label names');
      return names.map(String);
    });
    expect(labels).toContain('pipeline');
    expect(labels.filter((label) => forbidden.test(label))).toEqual([]);
    // The version of Node, on build_info.
    expect(labels.filter((label) => label === 'node')).toHaveLength(1);
  });
});

describe('copies that go on', () => {
  it('are summed by pipeline at each scrape, and forgotten when they have ended', async () => {
    const metrics = createMetrics(build);
    const going = [
      { namespace: 'team', pipeline: 'digits', perSecond: 100, left: 5_000 },
      { namespace: 'team', pipeline: 'digits', perSecond: 20.5, left: 70 },
    ];
    metrics.countCopies(() => going);
    const { body } = await metrics.expose();
    expect(value(body, 'ebbflow_copy_objects_per_second')).toBe(120.5);
    expect(value(body, 'ebbflow_copy_objects_left')).toBe(5_070);
    going.length = 0;
    expect((await metrics.expose()).body).not.toMatch(/^ebbflow_copy_objects_left\{/m);
  });
});

describe('cardinality', () => {
  const report = (metrics: ReturnType<typeof createMetrics>, pipeline: string): void => {
    const run = { namespace: 'team', pipeline };
    metrics.runs.runStarted(run, 12);
    metrics.runs.stageFinished({ ...run, kind: 'copy', result: 'Succeeded', seconds: 3 });
    const figures = { copied: 5, skipped: 1, unchanged: 0, failed: 0, moved: 2, bytes: 100 };
    metrics.runs.copied(run, figures, { requests: 20, throttled: 1 });
    metrics.runs.nodeLaunched({ nodeGroup: 'pool', capacityType: 'spot' });
    metrics.runs.nodeGone({ nodeGroup: 'pool', capacityType: 'spot' }, 60);
    metrics.runs.runFinished({ ...run, result: 'Succeeded', reason: 'Succeeded', seconds: 30 });
  };

  it('1,000 different runs of one pipeline add no series', async () => {
    const metrics = createMetrics(build);
    const live: { namespace: string; pipeline: string; phase: string }[] = [];
    metrics.countRuns(() => live);
    report(metrics, 'digits');
    live.push({ namespace: 'team', pipeline: 'digits', phase: 'Running' });
    const before = await series(metrics);
    for (let run = 0; run < 1_000; run++) {
      report(metrics, 'digits');
      live.push({ namespace: 'team', pipeline: 'digits', phase: 'Running' });
      metrics.kube.reconcile('pipelinerun', 'success', 0.01);
      metrics.kube.queueWait('pipelinerun', 0.001);
      metrics.kube.queueWork('pipelinerun', 0.001);
    }
    const added = (await series(metrics)).filter((one) => !before.includes(one));
    expect(added.filter((one) => !/pipelinerun/.test(one))).toEqual([]);
    expect(value((await metrics.expose()).body, 'ebbflow_runs')).toBe(1_001);
  });

  it('names of pipelines beyond the bound become "other", and known ones stay', async () => {
    const metrics = createMetrics({ ...build, maxPipelines: 10 });
    for (let n = 0; n < 10; n++) report(metrics, `p${n}`);
    report(metrics, 'generated-0');
    const before = (await series(metrics)).length;
    for (let n = 0; n < 1_000; n++) report(metrics, `generated-${n}`);
    report(metrics, 'p3');
    expect(await series(metrics)).toHaveLength(before);
    expect((await metrics.expose()).body).toContain(
      'ebbflow_runs_total{namespace="other",pipeline="other",result="Succeeded",reason="Succeeded"} 1001',
    );
  });

  it('the guard takes namespace and pipeline as a pair', () => {
    const guard = new RunLabelGuard(1);
    expect(guard.bound({ namespace: 'a', pipeline: 'p' })).toEqual({ namespace: 'a', pipeline: 'p' });
    expect(guard.bound({ namespace: 'b', pipeline: 'p' })).toEqual({ namespace: OTHER, pipeline: OTHER });
    expect(guard.bound({ namespace: 'a', pipeline: 'p' })).toEqual({ namespace: 'a', pipeline: 'p' });
  });
});

describe('the sinks', () => {
  it('counts errors as controller-runtime does', async () => {
    const metrics = createMetrics({ ...build, processMetrics: false });
    metrics.kube.reconcile('c', 'error', 1);
    metrics.kube.reconcile('c', 'error', 1);
    metrics.kube.reconcile('c', 'requeue_after', 1);
    const { body } = await metrics.expose();
    expect(body).toContain('controller_runtime_reconcile_total{controller="c",result="error"} 2');
    expect(body).toContain('controller_runtime_reconcile_total{controller="c",result="requeue_after"} 1');
    expect(body).toContain('controller_runtime_reconcile_errors_total{controller="c"} 2');
  });

  it('tells how long the work in hand has been going on', async () => {
    let now = 0;
    const metrics = createMetrics({ ...build, processMetrics: false, monotonicMs: () => now });
    metrics.kube.queueWait('q', 0);
    now = 2_000;
    metrics.kube.queueWait('q', 0);
    now = 5_000;
    const { body } = await metrics.expose();
    expect(value(body, 'workqueue_unfinished_work_seconds')).toBe(8);
    expect(value(body, 'workqueue_longest_running_processor_seconds')).toBe(5);
    metrics.kube.queueWork('q', 5);
    expect(value((await metrics.expose()).body, 'workqueue_longest_running_processor_seconds')).toBe(3);
    metrics.kube.queueWork('q', 3);
    expect(value((await metrics.expose()).body, 'workqueue_unfinished_work_seconds')).toBe(0);
  });

  it('forgets a phase that no run is in any more', async () => {
    const metrics = createMetrics({ ...build, processMetrics: false });
    let runs = [{ namespace: 'n', pipeline: 'p', phase: 'Running' }];
    metrics.countRuns(() => runs);
    expect((await metrics.expose()).body).toContain('phase="Running"');
    runs = [{ namespace: 'n', pipeline: 'p', phase: 'Committing' }];
    expect((await metrics.expose()).body).not.toContain('phase="Running"');
  });

  it('takes durations of clocks that disagree, and leaves watches out of the request times', async () => {
    const metrics = createMetrics({ ...build, processMetrics: false });
    metrics.runs.nodeGone({ nodeGroup: 'g', capacityType: 'spot' }, -3);
    metrics.runs.committed(Number.NaN);
    metrics.kube.request('watch', 'pods', '200', 300);
    metrics.kube.storeResourceVersion('pods', 'not-a-number');
    const { body } = await metrics.expose();
    expect(body).toContain('ebbflow_node_seconds_total{node_group="g",capacity_type="spot"} 0');
    expect(body).not.toContain('rest_client_request_duration_seconds_count{method="watch"}');
    expect(body).not.toContain('store_resource_version{');
  });
});
