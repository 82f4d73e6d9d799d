/** Attempt of a stage -> Job manifest. Pure. */
import { limitsOf, stageKind } from '../api/defaults.ts';
import { jobName } from '../api/names.ts';
import type { Stage } from '../api/pipelinerun.ts';
import type { PipelineRun } from '../api/types.ts';
import type { Job, JobSpec, PodSpec } from '../kube/types.ts';
import { containerPod } from '../stages/container.ts';
import { copyPod } from '../stages/copy.ts';
import type { PodSettings } from '../stages/settings.ts';
import { startingWorkers } from '../stages/workerspec.ts';
import { disruptedBefore } from './disruptions.ts';
import { attemptLabels, ownerOf } from './ours.ts';
import { CONTAINERS } from '../../workers/contract/environment.ts';
import { EXIT, HOPELESS_EXIT_CODES } from '../../workers/contract/exitcodes.ts';

/** `activeSeconds` of the stage's deadline are used up and `disruptions` workers lost by earlier attempts. */
export interface AttemptInput {
  run: PipelineRun;
  stage: Stage;
  attempt: number;
  activeSeconds: number;
  disruptions?: number;
}

export function buildJob(
  { run, stage, attempt, activeSeconds, disruptions = 0 }: AttemptInput,
  settings: PodSettings,
): Job {
  const { name, namespace, uid } = run.metadata;
  const labels = attemptLabels(run, stage.name, attempt);
  const workers = startingWorkers(stage);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName({ name, uid }, stage.name, attempt),
      namespace,
      labels,
      ...(disruptions > 0 ? { annotations: disruptedBefore(disruptions) } : {}),
      ownerReferences: [ownerOf(run)],
    },
    spec: {
      completionMode: 'Indexed',
      completions: workers,
      parallelism: workers,
      podReplacementPolicy: 'Failed',
      ...failurePolicy(run, stage),
      template: {
        metadata: {
          labels,
          annotations: {
            // A consolidating autoscaler would otherwise move a pod whose work cannot move.
            'karpenter.sh/do-not-disrupt': 'true',
            'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
            // What kubectl logs and exec mean when they are not told.
            'kubectl.kubernetes.io/default-container': stage.copy ? CONTAINERS.copy : CONTAINERS.main,
          },
        },
        spec: buildPod({ run, stage, attempt, activeSeconds }, settings),
      },
    },
  };
}

/** Longest activeDeadlineSeconds of a pod. */
const MAX_DEADLINE_SECONDS = 2_147_483_647;

function buildPod({ run, stage, attempt, activeSeconds }: AttemptInput, settings: PodSettings): PodSpec {
  const { name, namespace, uid } = run.metadata;
  const names = { run: name, runUID: uid, namespace, stage: stage.name, attempt };
  const limits = limitsOf(run.spec, stage);
  // The kubelet counts from its first sight of the pod, so that pulling images is in it; the operator's own timer is exact.
  const seconds = Math.max(1, limits.activeDeadlineSeconds - activeSeconds) + limits.startTimeoutSeconds;
  const deadline = Math.min(seconds, MAX_DEADLINE_SECONDS);
  if (stageKind(stage) === 'copy') return copyPod(run.spec, stage, names, settings, deadline);
  const member = stage.train ?? stage.container;
  if (!member) throw new TypeError(`stage ${stage.name} has none of copy, train and container`);
  return containerPod(run.spec, stage, member, names, settings, deadline);
}

type FailurePolicy = Pick<JobSpec, 'backoffLimit' | 'backoffLimitPerIndex' | 'podFailurePolicy'>;

/** A copy is retried inside its Job, so that its plan and shards stay; anything else gets a new Job for every attempt. */
function failurePolicy(run: PipelineRun, stage: Stage): FailurePolicy {
  const onPodConditions = [{ type: 'DisruptionTarget', status: 'True' }];
  if (!stage.copy)
    return { backoffLimit: 0, podFailurePolicy: { rules: [{ action: 'FailJob', onPodConditions }] } };
  const onExit = (values: readonly number[]): { onExitCodes: OnExitCodes } => ({
    onExitCodes: { containerName: CONTAINERS.copy, operator: 'In', values: [...values] },
  });
  return {
    // Of each worker, as retry.failures says: many workers must not share what one of them may use up.
    backoffLimitPerIndex: limitsOf(run.spec, stage).failures,
    podFailurePolicy: {
      rules: [
        { action: 'FailJob', ...onExit(HOPELESS_EXIT_CODES) },
        // The others still copy what is theirs.
        { action: 'FailIndex', ...onExit([EXIT.tooManyFailures]) },
        // Somebody ended it in order, by a suspension for one; it left its state in the ledger.
        { action: 'Ignore', ...onExit([EXIT.terminated]) },
        { action: 'Ignore', onPodConditions },
      ],
    },
  };
}

type OnExitCodes = NonNullable<NonNullable<JobSpec['podFailurePolicy']>['rules'][number]['onExitCodes']>;
