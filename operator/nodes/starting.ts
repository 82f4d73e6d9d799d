/** Why a pod that has a node has not started its main container. Pure. */
import type { Explanation } from './pending.ts';
import type { ContainerStatusView, EventView, PodView } from './views.ts';
import { cutText, newest } from './words.ts';

const IMAGE_REASONS: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);

const CONFIG_REASONS: ReadonlySet<string> = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'PreCreateHookError',
  'PreStartHookError',
  'PostStartHookError',
]);

/** Warnings of the kubelet about things a pod needs before any of its containers can say why it waits. */
const MOUNT_EVENTS: ReadonlySet<string> = new Set(['FailedMount', 'FailedAttachVolume', 'FailedMapVolume']);

/**
 * Why a pod that has a node does not run its main container yet. A Secret that is mounted and missing shows only in
 * the events; everything else is in the statuses of the containers.
 */
export function startingReason(
  pod: PodView,
  podEvents: readonly EventView[] = [],
): Explanation<'ImagePullFailed' | 'ContainerConfigError' | 'StartingContainers'> {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];

  const image = statuses.find((status) => IMAGE_REASONS.has(waitingReason(status)));
  if (image) return { reason: 'ImagePullFailed', message: waitingWords(image) };

  const config = statuses.find((status) => CONFIG_REASONS.has(waitingReason(status)));
  if (config) return { reason: 'ContainerConfigError', message: waitingWords(config) };

  // Once any container has run, every volume is there and the warning is an old one.
  const anyStarted = statuses.some(({ state }) => state?.running ?? state?.terminated);
  const mount = anyStarted
    ? undefined
    : newest(podEvents, (event) => event.type === 'Warning' && MOUNT_EVENTS.has(event.reason ?? ''));
  if (mount) return { reason: 'ContainerConfigError', message: cutText(mount.message ?? '') };

  const init = pod.status?.initContainerStatuses?.find(({ state }) => state?.running);
  return {
    reason: 'StartingContainers',
    message: init ? `Init container ${init.name} is running.` : 'The node prepares volumes and images.',
  };
}

function waitingReason(status: ContainerStatusView): string {
  return status.state?.waiting?.reason ?? '';
}

function waitingWords(status: ContainerStatusView): string {
  const message = status.state?.waiting?.message ?? '';
  const reason = waitingReason(status);
  return cutText(`container ${status.name}: ${message.includes(reason) ? message : `${reason}: ${message}`}`);
}
