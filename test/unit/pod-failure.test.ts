/** Why a pod failed, from what the kubelet shows of its containers. */
import { describe, expect, test } from 'vitest';
import { podFailure } from '../../operator/pipelinerun/failure.ts';
import type { Pod, PodStatus } from '../../operator/kube/types.ts';
import { formatTermination } from '../../workers/contract/termination.ts';
import { ended, jobOf, podOf } from '../support/plan/observed.ts';

const ofMemory = formatTermination({ reason: 'OOMKilled', message: 'the kernel killed one process' });
const ofCommand = formatTermination({ reason: 'Error', message: 'the command ended with exit code 1' });

/** Main ended with 137 and what the kubelet and the shim say of it; the agent ended with 16 and its own message. */
function failed(main: { reason?: string; message?: string }, agent?: string): Pod {
  const [mainStatus] = ended(10, 20, 137).containerStatuses ?? [];
  const [agentStatus] = ended(10, 21, 16, 'agent').containerStatuses ?? [];
  if (mainStatus?.state?.terminated) Object.assign(mainStatus.state.terminated, main);
  if (agentStatus?.state?.terminated) Object.assign(agentStatus.state.terminated, { message: agent });
  const containerStatuses = [mainStatus, agentStatus].filter((status) => status !== undefined);
  const status: PodStatus = { phase: 'Failed', conditions: [], containerStatuses };
  const pod = podOf(jobOf('work'), { status });
  const limits = { memory: '64Mi' };
  return { ...pod, spec: { containers: [{ name: 'main', image: 'busybox:1', resources: { limits } }] } };
}

test('of a command that failed the kubelet is quoted in the words of the agent', () => {
  const pod = podOf(jobOf('work'), { status: { phase: 'Failed', ...ended(10, 20, 3) } });
  expect(podFailure(pod)?.message).toBe('the command ended with exit code 3');
});

describe('a command that failed for lack of memory is known', () => {
  test.each<[string, Pod]>([
    ['by the kubelet alone', failed({ reason: 'OOMKilled' })],
    ['by the shim, where the kubelet heard of the exit only', failed({ reason: 'Error', message: ofMemory })],
    [
      'by the agent, where the command left words of its own',
      failed({ reason: 'Error', message: 'Traceback' }, ofMemory),
    ],
  ])('%s', (_who, pod) => {
    expect(podFailure(pod)).toMatchObject({ reason: 'OOMKilled', disruption: false });
    expect(podFailure(pod)?.message).toContain('raise resources.limits.memory');
  });

  test('of a copy, too', () => {
    const status = ended(10, 20, 137, 'copy');
    const [copy] = status.containerStatuses ?? [];
    if (copy?.state?.terminated) copy.state.terminated.reason = 'OOMKilled';
    const containers = [{ name: 'copy', image: 'ebbflow:1', resources: { limits: { memory: '64Mi' } } }];
    const pod = { ...podOf(jobOf('work'), { status }), spec: { containers } };
    expect(podFailure(pod)?.message).toContain('raise resources.limits.memory');
  });

  test('without a limit it was the memory of the node', () => {
    const pod = failed({ reason: 'OOMKilled' });
    const unlimited = { ...pod, spec: { containers: [{ name: 'main', image: 'busybox:1' }] } };
    expect(podFailure(unlimited)?.message).toContain('its node had left: raise resources.requests.memory');
  });
});

test('a command that ended well after it lost a child did not fail, whatever the kubelet calls it', () => {
  const [main] = ended(10, 20, 0).containerStatuses ?? [];
  const [agent] = ended(10, 21, 14, 'agent').containerStatuses ?? [];
  if (main?.state?.terminated) main.state.terminated.reason = 'OOMKilled';
  const message = formatTermination({ reason: 'OutputFailed', message: 'the bucket does not exist' });
  if (agent?.state?.terminated) agent.state.terminated.message = message;
  const containerStatuses = [main, agent].filter((status) => status !== undefined);
  const status: PodStatus = { phase: 'Failed', conditions: [], containerStatuses };
  expect(podFailure(podOf(jobOf('work'), { status }))).toMatchObject({ reason: 'OutputFailed' });
});

test.each(['UnexpectedAdmissionError', 'TopologyAffinityError', 'OutOfcpu', 'OutOfnvidia.com/gpu'])(
  'a pod that its kubelet would not let in (%s) has not failed: nothing of it ever ran',
  (reason) => {
    const status: PodStatus = { phase: 'Failed', reason, message: 'Pod was rejected: no room' };
    expect(podFailure(podOf(jobOf('work'), { status }))).toMatchObject({
      disruption: true,
      message: expect.stringContaining('Pod was rejected: no room'),
    });
  },
);

describe('an exit code of 137 is no lack of memory', () => {
  test.each<[string, Pod]>([
    ['when nobody says so', failed({ reason: 'Error' }, ofCommand)],
    ['when the command has left other words', failed({ reason: 'Error', message: 'OOMKilled' }, ofCommand)],
  ])('%s', (_why, pod) => {
    expect(podFailure(pod)).toMatchObject({ reason: 'Error' });
    expect(podFailure(pod)?.message).toContain('exit code 137');
  });

  test('nor is a command that ended well after it lost a child', () => {
    const [main] = ended(10, 20, 0).containerStatuses ?? [];
    if (main?.state?.terminated) main.state.terminated.message = ofMemory;
    const status: PodStatus = { phase: 'Succeeded', conditions: [], containerStatuses: main ? [main] : [] };
    expect(podFailure(podOf(jobOf('work'), { status }))).toBeUndefined();
  });
});
