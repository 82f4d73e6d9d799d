/** Anybody can put a label of ours on anything, or take one away from what is ours. */
import { afterEach, describe, expect, test } from 'vitest';
import { LABEL, MANAGED_BY } from '../../operator/api/names.ts';
import type { Life } from '../support/simulation/operator.ts';
import { Scenario, type ScenarioOptions } from '../support/simulation/scenario.ts';

const JOBS = '/apis/batch/v1/namespaces/data/jobs';
const PODS = '/api/v1/namespaces/data/pods';
const spec = { stages: [{ name: 'work', container: { image: 'busybox:1', command: ['true'] } }] };

let scenario: Scenario;
let life: Life;

async function begin(script: ScenarioOptions['script']): Promise<void> {
  scenario = new Scenario({ spec, script });
  await scenario.start();
  life = scenario.live();
}

afterEach(async () => {
  await life.stop();
  await scenario.stop();
});

const runUID = (): string =>
  scenario.api.world.get('/apis/ebbflow.dev/v1alpha1/namespaces/data/pipelineruns/nightly')?.metadata.uid ??
  '';
const isRunning = (): boolean => JSON.stringify(scenario.api.world.list(PODS)).includes('startedAt');

describe('what somebody else made and gave labels of the run', () => {
  const byHand = (labels: Record<string, string>): void => {
    const { world } = scenario.api;
    const metadata = (name: string) => ({ name, namespace: 'data', uid: name, labels });
    world.put(
      `${PODS}/mine`,
      Object.assign({ metadata: metadata('mine') }, { spec: {}, status: { phase: 'Running' } }),
    );
    world.put(
      `${JOBS}/mine-too`,
      Object.assign({ metadata: metadata('mine-too') }, { spec: { suspend: true } }),
    );
    world.put('/api/v1/namespaces/data/configmaps/mine', { metadata: metadata('mine') });
  };

  test.each<[string, () => Record<string, string>]>([
    ['that of the run', () => ({ [LABEL.runUID]: runUID() })],
    [
      'all of them',
      () => ({
        [LABEL.runUID]: runUID(),
        [LABEL.managedBy]: MANAGED_BY,
        [LABEL.stage]: 'work',
        [LABEL.attempt]: '1',
      }),
    ],
  ])('(%s) neither holds it nor goes with it, and is named', async (_what, labels) => {
    let hang = true;
    await begin(({ uid }) => (hang || uid === 'mine' ? 'hang' : { exitCode: 0 }));
    byHand(labels());
    await scenario.turn(life, isRunning);
    hang = false;
    await scenario.turn(life);
    expect(scenario.status.outcome).toMatchObject({ result: 'Succeeded' });
    expect(scenario.left.toSorted()).toEqual(['mine', 'mine-too']);
    const warning = life.events.find((event) => event.includes('ForeignObject'));
    expect(warning).toContain('Pod mine');
    expect(warning).toContain('Job mine-too');
    scenario.delete();
    await scenario.turn(life, () => !scenario.exists);
    expect(scenario.left.toSorted()).toEqual(['mine', 'mine-too']);
  });
});

describe('a Job that loses', () => {
  const take = (lost: readonly string[]): void => {
    const [job] = scenario.api.world.list(JOBS);
    if (!job) throw new Error('there is no Job');
    const labels = Object.fromEntries(
      Object.entries(job.metadata.labels ?? {}).filter(([name]) => !lost.includes(name)),
    );
    const ownerReferences = lost.includes('owner') ? [] : (job.metadata.ownerReferences ?? []);
    const metadata = { ...job.metadata, labels, ownerReferences };
    scenario.api.world.put(`${JOBS}/${job.metadata.name}`, { ...job, metadata });
  };
  const cases = [
    ['the label by which it is watched', [LABEL.managedBy]],
    ['the label of its run', [LABEL.runUID]],
    ['its labels', Object.values(LABEL)],
    ['its owner', ['owner']],
    ['its owner and its labels', ['owner', ...Object.values(LABEL)]],
  ] as const;

  test.each(cases)('%s goes on, is not begun again, and goes with the run', async (_what, lost) => {
    let hang = true;
    await begin(() => (hang ? 'hang' : { exitCode: 0 }));
    await scenario.turn(life, isRunning);
    take(lost);
    await scenario.turn(life, () => {
      const { labels, ownerReferences = [] } = scenario.api.world.list(JOBS)[0]?.metadata ?? {};
      return labels?.[LABEL.managedBy] !== undefined && ownerReferences.length > 0;
    });
    hang = false;
    await scenario.turn(life);
    expect(scenario.status.outcome).toMatchObject({ result: 'Succeeded' });
    expect(scenario.simulation.created).toHaveLength(1);
    expect(scenario.left).toEqual([]);
  });

  test.each(cases)('%s is ended when the run is canceled', async (_what, lost) => {
    await begin(() => 'hang');
    await scenario.turn(life, isRunning);
    take(lost);
    scenario.patchSpec({ cancel: true });
    await scenario.turn(life);
    expect(scenario.status.stages).toMatchObject([{ state: 'Canceled' }]);
    expect(scenario.left).toEqual([]);
  });

  test('its labels when its pods have gone already is found all the same', async () => {
    await begin(() => ({ exitCode: 0 }));
    let taken = false;
    await scenario.turn(life, () => {
      if (!taken && scenario.status.outcome) {
        take(Object.values(LABEL));
        for (const pod of scenario.api.world.list(PODS))
          scenario.api.world.delete(`${PODS}/${pod.metadata.name}`);
        taken = true;
      }
      return scenario.isOver;
    });
    expect(taken).toBe(true);
    expect(scenario.left).toEqual([]);
  });
});

describe('what another namespace has', () => {
  const elsewhere = (path: string, name: string, more: object): void => {
    const [job] = scenario.api.world.list(JOBS);
    const { labels, ownerReferences } = job?.metadata ?? {};
    const metadata = { name, namespace: 'theirs', uid: 'theirs', labels };
    const owned = path.includes('jobs') ? { ownerReferences } : {};
    scenario.api.world.put(`${path.replace('/data/', '/theirs/')}/${name}`, {
      metadata: { ...metadata, ...owned },
      ...more,
    });
  };

  test('does not hold a run, with its labels and the name of a pod of it', async () => {
    let hang = true;
    await begin(() => (hang ? 'hang' : { exitCode: 0 }));
    await scenario.turn(life, isRunning);
    const [job] = scenario.api.world.list(JOBS);
    elsewhere(PODS, `${job?.metadata.name}-0-ab1cd`, { spec: {}, status: { phase: 'Running' } });
    hang = false;
    await scenario.turn(life);
    expect(scenario.status.outcome).toMatchObject({ result: 'Succeeded' });
  });

  test('is no success of a run, with its labels, its name and the run as its controller', async () => {
    await begin(() => 'hang');
    await scenario.turn(life, isRunning);
    const [job] = scenario.api.world.list(JOBS);
    const conditions = [{ type: 'Complete', status: 'True' }];
    elsewhere(JOBS, job?.metadata.name ?? '', {
      spec: { template: {} },
      status: { succeeded: 1, conditions },
    });
    scenario.patchSpec({ cancel: true });
    await scenario.turn(life);
    expect(scenario.status.outcome).toMatchObject({ result: 'Canceled' });
  });
});

describe('another label', () => {
  const relabel = (path: string, changed: Record<string, string | undefined>, more = {}): void => {
    const [found] = scenario.api.world.list(path);
    if (!found) throw new Error(`nothing is at ${path}`);
    const labels = Object.fromEntries(
      Object.entries({ ...found.metadata.labels, ...changed }).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value]],
      ),
    );
    const metadata = { ...found.metadata, labels, ...more };
    scenario.api.world.put(`${path}/${found.metadata.name}`, { ...found, metadata });
  };

  test.each(['2000000000', '1.5', 'NaN', '2'])(
    'of an attempt (%s) does not make a Job another attempt',
    async (attempt) => {
      let hang = true;
      await begin(() => (hang ? 'hang' : { exitCode: 0 }));
      await scenario.turn(life, isRunning);
      relabel(JOBS, { [LABEL.attempt]: attempt });
      relabel(PODS, { [LABEL.attempt]: attempt });
      await scenario.turn(life, () => scenario.status.stages?.[0]?.state === 'Running');
      hang = false;
      await scenario.turn(life);
      expect(scenario.status.outcome).toMatchObject({ result: 'Succeeded' });
      expect(scenario.status.stages).toMatchObject([{ attempt: 1 }]);
      expect(scenario.status.stages?.[0]?.disruptions ?? 0).toBe(0);
      expect(scenario.left).toEqual([]);
    },
  );
});

test('a pod that lost its Job and its label ends with the run all the same', async () => {
  let hang = true;
  await begin(() => (hang ? 'hang' : { exitCode: 0 }));
  await scenario.turn(life, isRunning);
  const [pod] = scenario.api.world.list(PODS);
  if (!pod) throw new Error('there is no pod');
  const [, job = ''] = /^(.*)-0-[a-z0-9]{5}$/.exec(pod.metadata.name ?? '') ?? [];
  const name = `${job}-0-zzzzz`;
  const labels = { ...pod.metadata.labels, [LABEL.managedBy]: 'somebody' };
  const metadata = { name, namespace: 'data', uid: 'left', labels };
  scenario.api.world.put(
    `${PODS}/${name}`,
    Object.assign({ metadata }, { spec: {}, status: { phase: 'Failed' } }),
  );
  hang = false;
  await scenario.turn(life);
  expect(scenario.left).toEqual([]);
});
