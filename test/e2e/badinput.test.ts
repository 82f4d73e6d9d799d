/**
 * Bad input gets one clear sentence in the condition and an Event, costs little, and loses nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import type { PipelineRun } from '../../operator/api/types.ts';
import { events } from '../../operator/kube/resource.ts';
import { type Bed, conditionOf, openBed, stageOf, unique } from '../support/e2e/bed.ts';
import { NAMESPACE } from '../support/e2e/names.ts';

let bed: Bed;
const input = unique('bad');

beforeAll(async () => {
  bed = await openBed();
  await bed.put('raw', { [`${input}/a.png`]: 'a', [`${input}/b.png`]: 'b' });
});
afterAll(() => bed.close());

/** Notes of the Warning events of a run. */
async function warnings(uid: string): Promise<string[]> {
  const { items } = await bed.client.list(events, NAMESPACE, { fieldSelector: `involvedObject.uid=${uid}` });
  return items
    .filter((event) => event.type === 'Warning')
    .map((event) => `${event.reason}: ${event.message}`);
}

/** Runs a spec that must fail; asserts what every failure has in common. */
async function fail(name: string, spec: PipelineRunSpec): Promise<PipelineRun> {
  const unusual = unique(name);
  const uid = await bed.apply(unusual, spec);
  const run = await bed.finished(unusual);
  expect(conditionOf(run, 'Succeeded')?.status, JSON.stringify(run.status)).toBe('False');
  expect(await bed.left(uid)).toEqual([]);
  expect((await warnings(uid)).length, 'an Event says it too').toBeGreaterThan(0);
  return run;
}

const copy = (more: object): PipelineRunSpec => ({
  stores: bed.stores,
  stages: [
    {
      name: 'arrange',
      retry: { failures: 0 },
      copy: {
        source: { bucket: 'raw', prefix: `${input}/` },
        destination: { bucket: 'lake', prefix: `${input}/` },
        ...more,
      },
    },
  ],
});

describe('a copy', () => {
  test.concurrent('from a bucket that does not exist', async () => {
    const run = await fail('bucket', copy({ source: { bucket: 'nowhere', prefix: '' } }));
    expect(stageOf(run, 'arrange')?.message).toContain('nowhere');
  });

  test.concurrent('from a prefix without objects', async () => {
    const run = await fail('empty', copy({ source: { bucket: 'raw', prefix: 'nothing-here/' } }));
    expect(stageOf(run, 'arrange')?.reason).toBe('PlanRefused');
    expect(stageOf(run, 'arrange')?.message).toContain('nothing-here/');
  });

  test.concurrent('with a rule that matches nothing', async () => {
    const run = await fail('unmatched', copy({ rename: [{ match: '\\.tiff$', replace: '{stem}' }] }));
    expect(stageOf(run, 'arrange')?.reason).toBe('PlanRefused');
  });

  test.concurrent('that would write two objects to one key names both and writes nothing', async () => {
    const run = await fail(
      'collision',
      copy({
        destination: { bucket: 'lake', prefix: `${input}-collision/` },
        rename: [{ match: '^.*$', replace: 'same' }],
      }),
    );
    expect(stageOf(run, 'arrange')?.message).toMatch(/a\.png.*b\.png|b\.png.*a\.png/);
    expect(await bed.keys('lake', `${input}-collision/`)).toEqual([]);
  });

  test.concurrent('with wrong credentials', async () => {
    const secret = unique('wrong');
    const stringData = { AWS_ACCESS_KEY_ID: 'AKIAWRONGWRONGWRONG', AWS_SECRET_ACCESS_KEY: 'wrong' };
    await bed.cluster.kubectl(['create', '-n', NAMESPACE, '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: secret }, stringData }),
    });
    const [lake] = bed.stores;
    const run = await fail('credentials', {
      ...copy({}),
      stores: lake ? [{ ...lake, secretRef: { name: secret } }] : [],
    });
    expect(stageOf(run, 'arrange')?.reason).toBe('StoreUnavailable');
    expect(JSON.stringify(run.status)).not.toContain('AKIAWRONG');
  });

  test.concurrent('with a Secret that does not exist', async () => {
    const [lake] = bed.stores;
    const spec = {
      ...copy({}),
      startTimeoutSeconds: 8,
      stores: lake ? [{ ...lake, secretRef: { name: 'missing' } }] : [],
    };
    const run = await fail('secret', spec);
    expect(stageOf(run, 'arrange')?.reason).toBe('ContainerConfigError');
    expect(stageOf(run, 'arrange')?.message).toContain('missing');
  });

  test.concurrent('with an expression that does not run in linear time', async () => {
    const run = await fail('regexp', copy({ rename: [{ match: '(?=a)b', replace: 'x' }] }));
    expect(conditionOf(run, 'Succeeded')).toMatchObject({ reason: 'InvalidSpec' });
    expect(conditionOf(run, 'Succeeded')?.message).toContain('rename[0].match');
  });
});

describe('a container', () => {
  test.concurrent('whose image does not exist', async () => {
    const stage = { name: 'work', container: { image: 'localhost/no-such-image:1', command: ['true'] } };
    const run = await fail('image', { startTimeoutSeconds: 8, stages: [stage] });
    expect(stageOf(run, 'work')?.reason).toBe('ImagePullFailed');
    expect(stageOf(run, 'work')?.message).toContain('no-such-image');
  });

  test.concurrent('that no node satisfies waits for provisionTimeoutSeconds and has the words of the scheduler', async () => {
    const placement = { nodeSelector: { 'ebbflow.dev/pool': 'nowhere' } };
    const run = await fail('selector', {
      provisionTimeoutSeconds: 8,
      stages: [bed.shell('work', 'true', { placement })],
    });
    expect(stageOf(run, 'work')?.reason).toBe('Unschedulable');
    expect(stageOf(run, 'work')?.message).toMatch(/nodes? (are|is) available|selector|affinity/);
  });

  test.concurrent('whose command fails says its exit code', async () => {
    const run = await fail('exit', { stages: [bed.shell('work', 'exit 42')] });
    expect(stageOf(run, 'work')).toMatchObject({ reason: 'Error' });
    expect(stageOf(run, 'work')?.message).toContain('42');
  });

  test.concurrent('that needs more memory than its limit', async () => {
    const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '64Mi' } };
    const run = await fail('memory', { stages: [bed.shell('work', 'tail /dev/zero', { resources })] });
    expect(stageOf(run, 'work')?.reason).toBe('OOMKilled');
  });
});

describe('a namespace that refuses pods', () => {
  test('by a quota: the words of the quota are shown, and the run fails after provisionTimeoutSeconds', async () => {
    const namespace = unique('quota');
    const items = [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
      {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'none', namespace },
        spec: { hard: { pods: '0' } },
      },
    ];
    await bed.cluster.kubectl(['apply', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
    const name = unique('refused');
    await bed.apply(name, { provisionTimeoutSeconds: 10, stages: [bed.shell('work', 'true')] }, namespace);
    const run = await bed.finished(name, namespace);
    expect(stageOf(run, 'work')).toMatchObject({ state: 'Failed', reason: 'PodCreationRefused' });
    expect(stageOf(run, 'work')?.message).toContain('quota');
  });
});
