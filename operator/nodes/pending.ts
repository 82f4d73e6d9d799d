/** Why a pod has no node, in the words of the scheduler, the autoscaler and admission. Pure. */
import type { StageReason } from '../api/reasons.ts';
import { type ConditionView, type EventView, findCondition } from './views.ts';
import { cutText, eventTime, joinWords, newest, speaker } from './words.ts';

export interface PendingInput {
  /** Conditions of one representative pod without a node; undefined when there is no such pod. */
  readonly podConditions?: readonly ConditionView[] | undefined;
  /** Events about that pod: of the scheduler, and of whatever autoscaler there is. */
  readonly podEvents?: readonly EventView[] | undefined;
  /** Events about the Job: refusals to create a pod show nowhere else. */
  readonly jobEvents?: readonly EventView[] | undefined;
  /** Whether the Job still lacks pods. An old refusal says nothing once all pods are there. */
  readonly podsMissing: boolean;
}

export interface Explanation<R extends StageReason> {
  readonly reason: R;
  /** At most 256 bytes; others' own words where they said something. */
  readonly message: string;
}

const SCHEDULER = 'default-scheduler';

/** Reasons under which autoscalers speak about a pod that waits. */
const AUTOSCALER_REASONS: ReadonlySet<string> = new Set([
  'Nominated',
  'FailedScheduling',
  'TriggeredScaleUp',
  'NotTriggerScaleUp',
  'NoCompatibleInstanceTypes',
  'ProvisioningFailed',
]);

/** Why a stage has no running pod yet, before a node was found. */
export function explainPending(input: PendingInput): Explanation<'WaitingForNode' | 'PodCreationRefused'> {
  const refusal = input.podsMissing
    ? newest(input.jobEvents ?? [], (event) => event.type === 'Warning' && event.reason === 'FailedCreate')
    : undefined;
  if (refusal !== undefined && !isOutdated(refusal, input))
    return { reason: 'PodCreationRefused', message: cutText(withoutPodName(refusal.message ?? '')) };

  const words = joinWords([schedulerWords(input), autoscalerWords(input)]);
  if (words !== '') return { reason: 'WaitingForNode', message: words };
  return {
    reason: 'WaitingForNode',
    message:
      input.podConditions === undefined
        ? 'Waiting for the Job controller to create the pod.'
        : 'Waiting for the scheduler.',
  };
}

/** When pods were made after the refusal, the cause of it is over: the rest is on its way. */
function isOutdated(refusal: EventView, { jobEvents = [] }: PendingInput): boolean {
  const created = newest(jobEvents, (event) => event.reason === 'SuccessfulCreate');
  return created !== undefined && eventTime(created) > eventTime(refusal);
}

/** The condition is what holds now; an event may be minutes old. */
function schedulerWords({ podConditions, podEvents = [] }: PendingInput): string {
  const scheduled = findCondition(podConditions, 'PodScheduled');
  if (scheduled?.status === 'True') return '';
  if (scheduled?.message !== undefined && scheduled.message !== '') return scheduled.message;
  const said = newest(
    podEvents,
    (event) => event.reason === 'FailedScheduling' && speaker(event) === SCHEDULER,
  );
  return said?.message ?? '';
}

function autoscalerWords({ podEvents = [] }: PendingInput): string {
  const said = newest(
    podEvents,
    (event) => speaker(event) !== SCHEDULER && AUTOSCALER_REASONS.has(event.reason ?? ''),
  );
  if (said?.message === undefined) return '';
  return `${speaker(said) || 'autoscaler'}: ${said.message}`;
}

/** The name of a pod that was never made is new with each try: it would make the status change all the time. */
function withoutPodName(message: string): string {
  return message.replace(/pods? "[^"]*" is forbidden/, 'pod is forbidden');
}
