import { describe, expect, it } from 'vitest';
import { explainPending } from '../../operator/nodes/pending.ts';
import { startingReason } from '../../operator/nodes/starting.ts';
import type { ConditionView, EventView } from '../../operator/nodes/views.ts';
import { cutText, joinWords } from '../../operator/nodes/words.ts';

const SCHEDULER_WORDS =
  '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {pool: burst}. preemption: 0/2 nodes are available.';
const KARPENTER_WORDS =
  'Failed to schedule pod, incompatible with nodepool "burst", daemonset overhead={"pods":"0"}, no instance type satisfied resources {"cpu":"400","pods":"1"} and requirements kubernetes.io/os In [linux], karpenter.sh/nodepool In [burst] (no instance type which had enough resources)';

const unschedulable: ConditionView = {
  type: 'PodScheduled',
  status: 'False',
  reason: 'Unschedulable',
  message: SCHEDULER_WORDS,
};

let minute = 0;
function event(fields: Partial<EventView> & { by?: string }): EventView {
  const { by, ...rest } = fields;
  const time = `2026-01-01T00:${String(++minute % 60).padStart(2, '0')}:00Z`;
  return {
    metadata: {},
    type: 'Warning',
    lastTimestamp: time,
    ...(by !== undefined && { reportingComponent: by }),
    ...rest,
  };
}

describe('why a stage has no running pod', () => {
  it('joins the words of the scheduler and of Karpenter within 256 bytes', () => {
    const { reason, message } = explainPending({
      podsMissing: false,
      podConditions: [unschedulable],
      podEvents: [
        event({ by: 'default-scheduler', reason: 'FailedScheduling', message: SCHEDULER_WORDS }),
        event({ by: 'karpenter', reason: 'FailedScheduling', message: KARPENTER_WORDS }),
      ],
    });
    expect(reason).toBe('WaitingForNode');
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(256);
    expect(message).toContain('0/2 nodes are available: 1 Insufficient cpu');
    expect(message).toContain('karpenter: Failed to schedule pod, incompatible with nodepool "burst"');
    expect(message.match(/0\/2 nodes are available: 1/g)).toHaveLength(1);
  });

  it('takes the newest word of the autoscaler, whatever the order of the events', () => {
    const failed = event({ by: 'karpenter', reason: 'FailedScheduling', message: 'no instance type' });
    const nominated = event({
      by: 'karpenter',
      type: 'Normal',
      reason: 'Nominated',
      message: 'Pod should schedule on: nodeclaim/burst-x7',
    });
    for (const podEvents of [
      [failed, nominated],
      [nominated, failed],
    ])
      expect(
        explainPending({ podsMissing: false, podConditions: [unschedulable], podEvents }).message,
      ).toContain('karpenter: Pod should schedule on: nodeclaim/burst-x7');
  });

  it('knows the cluster autoscaler, and events written through the newer API', () => {
    const { message } = explainPending({
      podsMissing: false,
      podConditions: [unschedulable],
      podEvents: [
        {
          metadata: {},
          type: 'Normal',
          reason: 'NotTriggerScaleUp',
          message: "pod didn't trigger scale-up: 1 max node group size reached",
          eventTime: '2026-01-01T00:00:00.123456Z',
          source: { component: 'cluster-autoscaler' },
        },
      ],
    });
    expect(message).toContain(
      "cluster-autoscaler: pod didn't trigger scale-up: 1 max node group size reached",
    );
  });

  it('says so when the cluster refuses to create pods, without the name of a pod that never was', () => {
    const refuse = (name: string): EventView =>
      event({
        by: 'job-controller',
        reason: 'FailedCreate',
        message: `Error creating: pods "${name}" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=0, limited: pods=0`,
      });
    const first = explainPending({ podsMissing: true, jobEvents: [refuse('a-0-x1')] });
    const second = explainPending({ podsMissing: true, jobEvents: [refuse('a-0-x1'), refuse('a-0-y2')] });
    expect(first).toEqual({
      reason: 'PodCreationRefused',
      message:
        'Error creating: pod is forbidden: exceeded quota: tight, requested: pods=1, used: pods=0, limited: pods=0',
    });
    expect(second).toEqual(first);
  });

  it('forgets a refusal once the pods are there, or were made after it', () => {
    const refused = event({ reason: 'FailedCreate', message: 'Error creating: no' });
    const created = event({ type: 'Normal', reason: 'SuccessfulCreate', message: 'Created pod: a-0-x1' });
    expect(explainPending({ podsMissing: false, jobEvents: [refused], podConditions: [] }).reason).toBe(
      'WaitingForNode',
    );
    expect(explainPending({ podsMissing: true, jobEvents: [created, refused] }).reason).toBe(
      'WaitingForNode',
    );
    const refusedAgain = event({ reason: 'FailedCreate', message: 'Error creating: no' });
    expect(explainPending({ podsMissing: true, jobEvents: [created, refusedAgain] }).reason).toBe(
      'PodCreationRefused',
    );
  });

  it('has a sentence when nobody has said anything', () => {
    expect(explainPending({ podsMissing: true }).message).toBe(
      'Waiting for the Job controller to create the pod.',
    );
    expect(explainPending({ podsMissing: false, podConditions: [] }).message).toBe(
      'Waiting for the scheduler.',
    );
  });
});

describe('why a pod with a node does not run yet', () => {
  const waiting = (name: string, reason: string, message?: string) => ({
    name,
    state: { waiting: { reason, message } },
  });

  it.each([
    ['ErrImagePull', 'ImagePullFailed'],
    ['ImagePullBackOff', 'ImagePullFailed'],
    ['InvalidImageName', 'ImagePullFailed'],
    ['CreateContainerConfigError', 'ContainerConfigError'],
    ['CreateContainerError', 'ContainerConfigError'],
    ['RunContainerError', 'ContainerConfigError'],
    ['ContainerCreating', 'StartingContainers'],
    ['PodInitializing', 'StartingContainers'],
  ])('%s is %s', (reason, expected) => {
    const found = startingReason({ status: { containerStatuses: [waiting('main', reason, 'words')] } });
    const words =
      expected === 'StartingContainers'
        ? 'The node prepares volumes and images.'
        : `container main: ${reason}: words`;
    expect(found).toEqual({ reason: expected, message: words });
  });

  it('an image of an init container counts, and comes before everything else', () => {
    const found = startingReason({
      status: {
        initContainerStatuses: [waiting('shim', 'ImagePullBackOff', 'Back-off pulling image "x"')],
        containerStatuses: [waiting('main', 'CreateContainerConfigError', 'secret "y" not found')],
      },
    });
    expect(found).toEqual({
      reason: 'ImagePullFailed',
      message: 'container shim: ImagePullBackOff: Back-off pulling image "x"',
    });
  });

  it('a missing Secret that is mounted shows only in an event, and only until a container has run', () => {
    const words = 'MountVolume.SetUp failed for volume "store" : secret "s3" not found';
    const mount = event({ by: 'kubelet', reason: 'FailedMount', message: words });
    const creating = { status: { containerStatuses: [waiting('main', 'ContainerCreating')] } };
    expect(startingReason(creating, [mount])).toEqual({ reason: 'ContainerConfigError', message: words });
    const fetching = {
      status: {
        initContainerStatuses: [{ name: 'fetch', state: { running: {} } }],
        containerStatuses: [waiting('main', 'PodInitializing')],
      },
    };
    expect(startingReason(fetching, [mount])).toEqual({
      reason: 'StartingContainers',
      message: 'Init container fetch is running.',
    });
  });
});

describe('words', () => {
  it('cuts at characters, never inside one, and shows it', () => {
    const cut = cutText('ä'.repeat(300), 256);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(256);
    expect(cut).toMatch(/^ä+…$/);
    expect(cutText('a\n  b', 256)).toBe('a b');
  });

  it('leaves the room of short words to long ones and says nothing twice', () => {
    expect(joinWords(['same', 'same', ''])).toBe('same');
    const joined = joinWords(['short', 'x'.repeat(500)], 100);
    expect(joined.startsWith('short; xxx')).toBe(true);
    expect(Buffer.byteLength(joined)).toBeGreaterThan(95);
    expect(Buffer.byteLength(joined)).toBeLessThanOrEqual(100);
  });
});
