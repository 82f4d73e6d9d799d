/** API calls as HTTP requests: method, path, query and body. Pure. */
import type {
  ApplyOptions,
  DeleteOptions,
  ListOptions,
  PatchOptions,
  PodLogOptions,
  WatchOptions,
} from './client.ts';
import { apiVersionOf, pods, type Resource, resourceName, resourcePath, tokenReviews } from './resource.ts';
import type { KubeObject } from './types.ts';

/** One request, ready to be sent. */
export interface ApiRequest {
  /** For metrics: `get`, `list`, `watch`, `create`, `update`, `delete`, `patch`, `apply`, `log`. */
  readonly verb: string;
  /** For metrics. */
  readonly resource: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: string;
  readonly contentType?: string;
  /** Whether sending it twice does no harm. */
  readonly repeatable: boolean;
}

/** Where a request goes: one object, or a collection when there is no name. */
export interface Target {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name?: string;
}

export function getRequest(target: Target): ApiRequest {
  return { ...head('get', target), method: 'GET', repeatable: true };
}

/** One page; `next` continues an earlier one. */
export function listRequest(target: Target, options: ListOptions, next: string | undefined): ApiRequest {
  const { labelSelector, fieldSelector, limit } = options;
  const resourceVersion = next === undefined ? options.resourceVersion : undefined;
  const query = { labelSelector, fieldSelector, limit, continue: next, resourceVersion };
  return { ...head('list', target), method: 'GET', query, repeatable: true };
}

export function watchRequest(target: Target, options: WatchOptions): ApiRequest {
  const { labelSelector, fieldSelector, resourceVersion, timeoutSeconds } = options;
  const allowWatchBookmarks = options.allowBookmarks ?? true;
  const query = {
    watch: true,
    labelSelector,
    fieldSelector,
    resourceVersion,
    timeoutSeconds,
    allowWatchBookmarks,
  };
  return { ...head('watch', target), method: 'GET', query, repeatable: true };
}

export function createRequest(target: Target, body: KubeObject): ApiRequest {
  return {
    ...head('create', target),
    method: 'POST',
    body: compose(target.resource, body),
    repeatable: false,
  };
}

/** With a resourceVersion a second send can only be refused, so it is harmless. */
export function updateRequest(target: Target, body: KubeObject, options: PatchOptions): ApiRequest {
  return {
    ...head('update', target, options.subresource),
    method: 'PUT',
    query: { fieldManager: options.fieldManager },
    body: compose(target.resource, body),
    repeatable: body.metadata.resourceVersion !== undefined,
  };
}

export function deleteRequest(target: Target, options: DeleteOptions): ApiRequest {
  const { propagationPolicy, gracePeriodSeconds, preconditions } = options;
  const wish = { propagationPolicy, gracePeriodSeconds, preconditions };
  return {
    ...head('delete', target),
    method: 'DELETE',
    body: JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', ...wish }),
    repeatable: true,
  };
}

export function mergePatchRequest(target: Target, patch: object, options: PatchOptions): ApiRequest {
  return {
    ...head('patch', target, options.subresource),
    method: 'PATCH',
    query: { fieldManager: options.fieldManager },
    body: JSON.stringify(patch),
    contentType: 'application/merge-patch+json',
    repeatable: true,
  };
}

export function applyRequest(target: Target, body: object, options: ApplyOptions): ApiRequest {
  const metadata = 'metadata' in body && typeof body.metadata === 'object' ? body.metadata : {};
  return {
    ...head('apply', target, options.subresource),
    method: 'PATCH',
    query: { fieldManager: options.fieldManager, force: options.force ?? true },
    body: compose(target.resource, { ...body, metadata: { ...metadata, name: target.name } }),
    // JSON is YAML, and the server knows apply by this name only.
    contentType: 'application/apply-patch+yaml',
    repeatable: true,
  };
}

export function podLogRequest(options: PodLogOptions): ApiRequest {
  const { namespace, pod, container, sinceTime, follow, limitBytes } = options;
  return {
    ...head('log', { resource: pods, namespace, name: pod }, 'log'),
    method: 'GET',
    query: { container, sinceTime, timestamps: options.timestamps ?? true, follow, limitBytes },
    repeatable: true,
  };
}

/** Nothing is stored by a review, so asking twice is harmless. */
export function tokenReviewRequest(token: string, audiences: readonly string[]): ApiRequest {
  return {
    ...head('create', { resource: tokenReviews, namespace: undefined }),
    method: 'POST',
    body: compose(tokenReviews, { spec: { token, audiences } }),
    repeatable: true,
  };
}

export function rawRequest(path: string): ApiRequest {
  return { verb: 'get', resource: 'raw', method: 'GET', path, repeatable: true };
}

function head(
  verb: string,
  target: Target,
  subresource?: string,
): Pick<ApiRequest, 'verb' | 'resource' | 'path'> {
  const { resource, namespace, name } = target;
  return {
    verb,
    resource: resourceName(resource),
    path: resourcePath(resource, namespace, name, subresource),
  };
}

function compose(resource: Resource, body: object): string {
  return JSON.stringify({ ...body, apiVersion: apiVersionOf(resource), kind: resource.kind });
}
