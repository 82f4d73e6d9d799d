/** Which pod may store the outputs of a stage. */
import { describe, expect, test } from 'vitest';
import { admit, type Candidate, judge } from '../../operator/pipelinerun/admission.ts';
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
    expect(judge(runOf(spec), candidate)).toBeUndefined();
    expect(admit({}, candidate).stages).toEqual([
      { name: 'work', state: 'Provisioning', attempt: 2, admitted: 'pod-b' },
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

  test('of a newer attempt takes the place of an older one', () => {
    const status = { stages: [{ ...stage, attempt: 1, admitted: 'pod-a' }] };
    expect(judge(runOf(spec, status), candidate)).toBeUndefined();
    expect(admit(status, candidate).stages).toMatchObject([{ attempt: 2, admitted: 'pod-b' }]);
  });
});
