/** The resource types that the operator works with, as the API server addresses them. */
import type { EventV1, Job, KubeEvent, KubeObject, Lease, Node, Pod, TokenReview } from './types.ts';

declare const objectType: unique symbol;

/** A resource type of the API: where its objects live, and (for the compiler only) what they look like. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** API group; empty for core. */
  readonly group: string;
  readonly version: string;
  /** The name in the path, such as `jobs`. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never present at run time; ties the resource to its object type. */
  readonly [objectType]?: T;
}

export const jobs: Resource<Job> = {
  group: 'batch',
  version: 'v1',
  plural: 'jobs',
  kind: 'Job',
  namespaced: true,
};
export const pods: Resource<Pod> = {
  group: '',
  version: 'v1',
  plural: 'pods',
  kind: 'Pod',
  namespaced: true,
};
export const nodes: Resource<Node> = {
  group: '',
  version: 'v1',
  plural: 'nodes',
  kind: 'Node',
  namespaced: false,
};
/** Events as core/v1 serves them: for watching (field selector `involvedObject.uid`). */
export const events: Resource<KubeEvent> = {
  group: '',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};
/** Events as events.k8s.io/v1 takes them: for writing. */
export const eventsV1: Resource<EventV1> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};
export const leases: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};
export const tokenReviews: Resource<TokenReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
};

/** `batch/v1`, or `v1` for core: the `apiVersion` of a resource's objects. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** One word for a resource type in maps, logs and metrics: `jobs.batch`, `pods`. */
export function resourceName(resource: Resource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** The URL path of a collection or, with a name, of one object or its subresource. Every part is escaped. */
export function resourcePath(
  resource: Resource,
  namespace: string | undefined,
  name?: string,
  subresource?: string,
): string {
  const root = resource.group === '' ? '/api' : `/apis/${encodeURIComponent(resource.group)}`;
  let path = `${root}/${encodeURIComponent(resource.version)}`;
  if (resource.namespaced && namespace !== undefined) path += `/namespaces/${encodeURIComponent(namespace)}`;
  path += `/${encodeURIComponent(resource.plural)}`;
  if (name !== undefined) path += `/${encodeURIComponent(name)}`;
  if (subresource !== undefined) path += `/${encodeURIComponent(subresource)}`;
  return path;
}
