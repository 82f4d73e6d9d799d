/** What a pod's status says about its containers, as far as their logs are concerned. Pure. */
import { isLogContainer, type LogContainer } from '../../workers/contract/logframes.ts';
import type { DeepReadonly, Pod } from '../kube/types.ts';

export interface ContainerView {
  name: LogContainer;
  /** It does not run any more and, in these pods, never will again. */
  ended: boolean;
}

/** Containers that have started: only they have a log. Containers that others injected are not ours to keep. */
export function startedContainers(pod: DeepReadonly<Pod>): ContainerView[] {
  const over = isOver(pod);
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const views: ContainerView[] = [];
  for (const { name, state, lastState } of statuses) {
    if (!isLogContainer(name)) continue;
    const terminated = state?.terminated ?? lastState?.terminated;
    // A container that could not be created is reported as terminated without ever having had a start.
    if (terminated) {
      if (terminated.containerID !== undefined) views.push({ name, ended: true });
    } else if (state?.running) {
      views.push({ name, ended: over });
    }
  }
  return views;
}

/** The pod has reached its last phase: nothing in it starts any more. */
export function isOver(pod: DeepReadonly<Pod>): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Why a pod ended, in a word and a sentence, from the most telling part of its status. */
export function endingOf(pod: DeepReadonly<Pod>): { reason: string; message: string } | undefined {
  const { status } = pod;
  const disruption = status?.conditions?.find(
    ({ type, status: value }) => type === 'DisruptionTarget' && value === 'True',
  );
  if (disruption !== undefined)
    return {
      reason: disruption.reason ?? 'Disrupted',
      message: disruption.message ?? 'The pod was disrupted.',
    };
  if (status?.reason !== undefined)
    return { reason: status.reason, message: status.message ?? 'The pod was ended.' };
  for (const { name, state } of [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
  ]) {
    const ended = state?.terminated;
    if (ended && ended.exitCode !== 0) {
      const how = ended.signal ? `signal ${ended.signal}` : `exit code ${ended.exitCode}`;
      return { reason: ended.reason ?? 'Error', message: `Container ${name} ended with ${how}.` };
    }
  }
  return undefined;
}
