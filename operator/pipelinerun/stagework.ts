/** A stage whose Job is open: its pods are followed, given up with their nodes, and ended when they take too long. Pure. */
import { limitsOf } from '../api/defaults.ts';
import type { StageStatus } from '../api/status.ts';
import type { DeepReadonly, Job } from '../kube/types.ts';
import { releaseLost } from './actions.ts';
import type { Children } from './children.ts';
import { copyStep } from './copystep.ts';
import { disruptionsAllowed, disruptionsOf } from './disruptions.ts';
import { growJob } from './growth.ts';
import { isFinished } from './podfacts.ts';
import { retryOrFail } from './stageattempt.ts';
import { endStage } from './stageend.ts';
import { clip } from './text.ts';
import type { StageInput, StagePlan } from './types.ts';
import { workersStatus } from './usage.ts';
import { workStep } from './workstep.ts';

/** Releases pods of dead nodes, follows the others, ends what took too long. */
export function followJob(input: StageInput, children: Children, job: DeepReadonly<Job>): StagePlan {
  const { stage, prior, observed, now } = input;
  const limits = limitsOf(observed.run.spec, stage);
  const follow = stage.copy ? copyStep : workStep;
  const step = follow(
    job,
    children.pods,
    limits,
    prior.activeSeconds ?? 0,
    observed.waiting.get(stage.name),
    now.getTime(),
  );
  if (step.failed) {
    const failure = { reason: step.reason, message: step.message, disruption: false };
    return retryOrFail(input, children, failure, step.failed.final);
  }
  const release = releaseLost(children.pods, observed.lostPods);
  // Any other Job ends with the first disruption, which is counted with the retry.
  const { count, actions: notes } = stage.copy
    ? disruptionsOf(job, children.pods, observed.lostPods)
    : { count: 0, actions: [] };
  const disruptions = Math.max(prior.disruptions ?? 0, count);
  const allowed = disruptionsAllowed(stage, limits, job);
  if (stage.copy && disruptions > allowed)
    return endStage(
      { ...input, prior: { ...prior, disruptions } },
      children,
      'Failed',
      'Preempted',
      `lost ${disruptions} workers to the cluster; retry.disruptions allows ${allowed}`,
    );
  const progress = observed.progress.get(stage.name) ?? prior.progress;
  const podUID = step.waitingPod?.metadata.uid;
  const waits = step.state === 'Provisioning' || step.state === 'Starting';
  return {
    status: {
      ...prior,
      state: step.state,
      ...(lossOf(input, release, children) ?? { reason: step.reason, message: clip(step.message) }),
      ...(disruptions > 0 ? { disruptions } : {}),
      workers: workersStatus(input, children),
      ...(progress ? { progress } : {}),
    },
    actions: [...notes, ...release, ...growJob(stage, job, observed.plans)],
    events: [],
    ...(step.lookAt === undefined ? {} : { lookAt: step.lookAt }),
    ...(waits
      ? {
          waitingFor: {
            stage: stage.name,
            jobUID: job.metadata.uid ?? '',
            ...(podUID === undefined ? {} : { podUID }),
          },
        }
      : {}),
  };
}

/** A dead node is said when its pod is released, and until the Job controller has seen it: the pod itself is gone by then. */
function lossOf(
  { prior }: StageInput,
  [given]: ReturnType<typeof releaseLost>,
  { pods }: Children,
): Pick<StageStatus, 'reason' | 'message'> | undefined {
  if (given) {
    const message = `node ${given.node} does not answer; pod ${given.pod} is given up`;
    return { reason: 'NodeLost', message: clip(message) };
  }
  return prior.reason === 'NodeLost' && pods.every(isFinished)
    ? { reason: 'NodeLost', message: prior.message ?? '' }
    : undefined;
}
