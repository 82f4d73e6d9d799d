/**
 * The few fields of pods, nodes and events that this folder reads. The objects of operator/kube fit as they are;
 * all times are RFC 3339.
 */

export interface ConditionView {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
}

export interface ContainerStatusView {
  readonly name: string;
  readonly started?: boolean | undefined;
  readonly state?:
    | {
        readonly waiting?:
          | { readonly reason?: string | undefined; readonly message?: string | undefined }
          | undefined;
        readonly running?: object | undefined;
        readonly terminated?: object | undefined;
      }
    | undefined;
}

export interface PodView {
  readonly spec?: { readonly nodeName?: string | undefined } | undefined;
  readonly status?:
    | {
        readonly phase?: string | undefined;
        readonly startTime?: string | undefined;
        readonly conditions?: readonly ConditionView[] | undefined;
        readonly initContainerStatuses?: readonly ContainerStatusView[] | undefined;
        readonly containerStatuses?: readonly ContainerStatusView[] | undefined;
      }
    | undefined;
}

export interface NodeView {
  readonly status?: { readonly conditions?: readonly ConditionView[] | undefined } | undefined;
}

export interface EventView {
  readonly metadata: { readonly creationTimestamp?: string | undefined };
  readonly type?: string | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly firstTimestamp?: string | null | undefined;
  readonly lastTimestamp?: string | null | undefined;
  readonly eventTime?: string | null | undefined;
  readonly reportingComponent?: string | undefined;
  readonly source?: { readonly component?: string | undefined } | undefined;
}

/** The condition of this type. */
export function findCondition(
  conditions: readonly ConditionView[] | undefined,
  type: string,
): ConditionView | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Milliseconds since 1970; undefined for no time and for what is none. */
export function timeOf(time: string | null | undefined): number | undefined {
  const ms = time === null || time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms;
}

/** When the pod was given its node, in milliseconds since 1970: the scheduler's word, then the kubelet's. */
export function boundAt(pod: PodView): number | undefined {
  const scheduled = findCondition(pod.status?.conditions, 'PodScheduled');
  return (
    (scheduled?.status === 'True' ? timeOf(scheduled.lastTransitionTime) : undefined) ??
    timeOf(pod.status?.startTime)
  );
}
