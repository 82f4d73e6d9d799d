/** The Kubernetes objects that we read and write, as they are on the wire. */
import type {
  V1Container,
  V1JobSpec,
  V1JobStatus,
  V1LeaseSpec,
  V1NodeSpec,
  V1NodeStatus,
  V1ObjectReference,
  V1PodSpec,
  V1PodStatus,
} from '@kubernetes/client-node';

/**
 * What a typed object looks like on the wire: every `Date` is an RFC 3339 string. The generated types of client-node
 * promise dates that only its own deserializer makes; this library never runs it.
 */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer U)[]
    ? Wire<U>[]
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T;

/** A view of cached data that must not be changed: stores hand out the very object that others read too. */
export type DeepReadonly<T> = T extends readonly (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** A link from a child to the object that owns it; `controller` marks the one that manages it. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Metadata of any object. The server sets everything but names, labels, annotations, owners and finalizers. */
export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  /** Opaque to clients but for order within one resource type: compare as integers, see consistency.ts. */
  resourceVersion?: string;
  generation?: number;
  /** RFC 3339, whole seconds. */
  creationTimestamp?: string;
  /** RFC 3339; present once deletion was asked for, which then waits for the finalizers. */
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown[];
}

/** metav1.Condition. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  observedGeneration?: number;
  /** RFC 3339; moves only when `status` does. */
  lastTransitionTime: string;
  /** CamelCase, never empty. */
  reason: string;
  message: string;
}

/** Any object as raw JSON: times are strings, nothing is stripped. Items of a list lack `apiVersion` and `kind`. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** A page of objects (always the whole collection here: the client follows `continue`). */
export interface KubeList<T extends KubeObject> {
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

/** An object as another one points at it. */
export type ObjectReference = Wire<V1ObjectReference>;

export type PodSpec = Wire<V1PodSpec>;
export type PodStatus = Wire<V1PodStatus>;
export type Container = Wire<V1Container>;
export type JobSpec = Wire<V1JobSpec>;
export type JobStatus = Wire<V1JobStatus>;
export type NodeSpec = Wire<V1NodeSpec>;
export type NodeStatus = Wire<V1NodeStatus>;
export type LeaseSpec = Wire<V1LeaseSpec>;

/** core/v1 Pod. */
export interface Pod extends KubeObject {
  spec: PodSpec;
  status?: PodStatus;
}

/** batch/v1 Job. */
export interface Job extends KubeObject {
  spec: JobSpec;
  status?: JobStatus;
}

/** core/v1 Node. */
export interface Node extends KubeObject {
  spec?: NodeSpec;
  status?: NodeStatus;
}

/** coordination.k8s.io/v1 Lease; its times carry six fraction digits. */
export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

/** core/v1 Event, as every component's events read back whichever API wrote them. */
export interface KubeEvent extends KubeObject {
  involvedObject: ObjectReference;
  type?: string;
  reason?: string;
  message?: string;
  count?: number;
  firstTimestamp?: string | null;
  lastTimestamp?: string | null;
  eventTime?: string | null;
  reportingComponent?: string;
  source?: { component?: string; host?: string };
}

/** events.k8s.io/v1 Event: the form that is written. */
export interface EventV1 extends KubeObject {
  /** RFC 3339 with six fraction digits. */
  eventTime: string;
  reportingController: string;
  reportingInstance: string;
  action: string;
  reason: string;
  regarding: ObjectReference;
  /** At most 1 kB. */
  note: string;
  type: 'Normal' | 'Warning';
  series?: { count: number; lastObservedTime: string };
}

/** authentication.k8s.io/v1 TokenReview status. */
export interface TokenReviewStatus {
  authenticated?: boolean;
  audiences?: string[];
  user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> };
  error?: string;
}

/** authentication.k8s.io/v1 TokenReview. */
export interface TokenReview extends KubeObject {
  spec: { token: string; audiences?: string[] };
  status?: TokenReviewStatus;
}

/** One line of a watch. ERROR lines never get here: the client throws them as KubeError. */
export type WatchEvent<T extends KubeObject> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  | { type: 'BOOKMARK'; object: { metadata: { resourceVersion: string } } };
