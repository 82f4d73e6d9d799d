/** Which pod may store the outputs of a stage. */
import { describe, expect, test } from 'vitest';
import { admit, type Candidate, decideAdmission, judge } from '../../operator/pipelinerun/admission.ts';
import { pipelineRuns } from '../../operator/pipelinerun/resource.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { FakeApi } from '../support/fakeapi/server.ts';
import { runOf } from '../support/plan/observed.ts';

const spec = { stages: [{ name: 'work', container: { image: 'busybox:1', command: ['true'] } }] };
const candidate: Candidate = {
  namespace: 'data',
  run: 'nightly',
  runUID: 'run-uid',
  stage: 'work',
  attempt: 2,
  podUID: 'pod-b',
};
const stage = { name: 'work', state: 'Running' as const, attempt: 2 };

describe('admission', () => {
  test('of a stage that the status does not know yet is written down all the same', () => {
    const first = { ...candidate, attempt: 1 };
    expect(judge(runOf(spec), first)).toBeUndefined();
    expect(admit({}, first).stages).toEqual([
      { name: 'work', state: 'Provisioning', attempt: 1, admitted: 'pod-b' },
    ]);
  });

  test.each([
    ['another pod of the attempt was admitted', { ...stage, admitted: 'pod-a' }],
    ['a newer attempt has begun', { ...stage, attempt: 3 }],
    ['the stage has ended', { ...stage, state: 'Failed' as const }],
  ])('is refused when %s', (_why, known) => {
    expect(judge(runOf(spec, { stages: [known] }), candidate)).toMatchObject({ admitted: false });
  });

  test('is told again to the pod that has it, even when the run was canceled since', () => {
    const run = runOf({ ...spec, cancel: true }, { stages: [{ ...stage, admitted: 'pod-b' }] });
    expect(judge(run, candidate)).toEqual({ admitted: true });
  });

  test('of a suspended run is neither given nor refused: the pod is about to be ended, and must not fail by itself', async () => {
    const api = new FakeApi();
    await api.start();
    const client = createKubeClient({ access: api.access, userAgent: 'test/0' });
    const path = '/apis/ebbflow.dev/v1alpha1/namespaces/data/pipelineruns/nightly';
    api.world.put(
      path,
      Object.assign(
        { metadata: { name: 'nightly', namespace: 'data', uid: 'run-uid' } },
        { spec: { ...spec, suspend: true }, status: { stages: [stage] } },
      ),
    );
    const asked = decideAdmission(client, pipelineRuns, candidate, AbortSignal.timeout(120_000));
    await expect(asked).rejects.toMatchObject({ code: 'RUN_SUSPENDED' });
    expect(JSON.stringify(api.world.get(path))).not.toContain('pod-b');
    await client.close();
    await api.stop();
  });

  test.each([
    ['an attempt before it', { ...stage, attempt: 1, admitted: 'pod-a' }],
    ['nothing of its stage', undefined],
  ])(
    'waits while the status says %s: what became of the attempt before is not counted yet',
    (_what, known) => {
      const run = runOf(spec, { stages: known ? [known] : [] });
      expect(() => judge(run, candidate)).toThrow(expect.objectContaining({ code: 'ATTEMPT_UNKNOWN' }));
    },
  );
});
