import type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  KubeClient,
  ListOptions,
  PatchOptions,
  PodLogOptions,
  WatchOptions,
} from './client.ts';
import { type Clock, sleep, systemClock } from './clock.ts';
import { Deadline, defaultDeadlineMs } from './deadline.ts';
import { KubeConnectionError, KubeTimeoutError } from './errors.ts';
import type { ClusterAccess } from './kubeconfig.ts';
import { type KubeMetrics, noMetrics } from './metrics.ts';
import { apiVersionOf, pods, type Resource, resourceName, resourcePath, tokenReviews } from './resource.ts';
import { defaultRetryPolicy, retryDelayMs, type RetryPolicy } from './retry.ts';
import { type ApiRequest, Transport } from './transport.ts';
import type { KubeList, KubeObject, TokenReview, TokenReviewStatus, WatchEvent } from './types.ts';
import { parseWatchEvent, splitLines } from './watch-stream.ts';

export interface HttpClientOptions {
  access: ClusterAccess;
  /** `name/version` of the program. */
  userAgent: string;
  metrics?: KubeMetrics;
  clock?: Clock;
  random?: () => number;
  retry?: RetryPolicy;
}

/** A KubeClient over undici. */
export function createKubeClient(options: HttpClientOptions): KubeClient {
  return new HttpKubeClient(options);
}

class HttpKubeClient implements KubeClient {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #retry: RetryPolicy;

  constructor(options: HttpClientOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#retry = options.retry ?? defaultRetryPolicy;
    const metrics = options.metrics ?? noMetrics;
    this.#transport = new Transport(options.access, options.userAgent, metrics, this.#clock);
  }

  get<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    options: CallOptions = {},
  ): Promise<T> {
    const path = resourcePath(resource, namespace, name);
    return this.#call<T>(
      { verb: 'get', resource: resourceName(resource), method: 'GET', path },
      true,
      options,
    );
  }

  async list<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    options: ListOptions = {},
  ): Promise<KubeList<T>> {
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const page: KubeList<T> = await this.#call<KubeList<T>>(
        {
          verb: 'list',
          resource: resourceName(resource),
          method: 'GET',
          path: resourcePath(resource, namespace),
          query: {
            labelSelector: options.labelSelector,
            fieldSelector: options.fieldSelector,
            limit: options.limit,
            continue: next,
            resourceVersion: next === undefined ? options.resourceVersion : undefined,
          },
        },
        true,
        options,
      );
      next = page.metadata.continue;
      if (items.length === 0 && (next === undefined || next === '')) return page;
      items.push(...page.items);
      if (next === undefined || next === '') return { metadata: page.metadata, items };
    }
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const { idleTimeoutMs } = options;
    const deadline = new Deadline(this.#clock, options.signal);
    try {
      deadline.set(defaultDeadlineMs, 'the API server did not start the watch');
      const body = await this.#transport.stream(
        {
          verb: 'watch',
          resource: resourceName(resource),
          method: 'GET',
          path: resourcePath(resource, namespace),
          query: {
            watch: true,
            labelSelector: options.labelSelector,
            fieldSelector: options.fieldSelector,
            resourceVersion: options.resourceVersion,
            timeoutSeconds: options.timeoutSeconds,
            allowWatchBookmarks: options.allowBookmarks ?? true,
          },
        },
        deadline,
      );
      const listen = (): void =>
        idleTimeoutMs === undefined
          ? deadline.clear()
          : deadline.set(idleTimeoutMs, 'the watch said nothing');
      listen();
      for await (const line of splitLines(body)) {
        // While the reader works on an event, silence is the reader's.
        deadline.clear();
        yield parseWatchEvent<T>(line);
        listen();
      }
    } finally {
      deadline.close();
    }
  }

  create<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    body: T,
    options: CallOptions = {},
  ): Promise<T> {
    const path = resourcePath(resource, namespace);
    return this.#call<T>(
      {
        verb: 'create',
        resource: resourceName(resource),
        method: 'POST',
        path,
        body: JSON.stringify({ ...body, apiVersion: apiVersionOf(resource), kind: resource.kind }),
      },
      false,
      options,
    );
  }

  update<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    body: T,
    options: PatchOptions = {},
  ): Promise<T> {
    return this.#call<T>(
      {
        verb: 'update',
        resource: resourceName(resource),
        method: 'PUT',
        path: resourcePath(resource, namespace, name, options.subresource),
        query: { fieldManager: options.fieldManager },
        body: JSON.stringify({ ...body, apiVersion: apiVersionOf(resource), kind: resource.kind }),
      },
      body.metadata.resourceVersion !== undefined,
      options,
    );
  }

  async delete<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): Promise<void> {
    const { propagationPolicy, gracePeriodSeconds, preconditions } = options;
    await this.#send(
      {
        verb: 'delete',
        resource: resourceName(resource),
        method: 'DELETE',
        path: resourcePath(resource, namespace, name),
        body: JSON.stringify({
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy,
          gracePeriodSeconds,
          preconditions,
        }),
      },
      true,
      options,
    );
  }

  mergePatch<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    patch: object,
    options: PatchOptions = {},
  ): Promise<T> {
    return this.#call<T>(
      {
        verb: 'patch',
        resource: resourceName(resource),
        method: 'PATCH',
        path: resourcePath(resource, namespace, name, options.subresource),
        query: { fieldManager: options.fieldManager },
        body: JSON.stringify(patch),
        contentType: 'application/merge-patch+json',
      },
      true,
      options,
    );
  }

  apply<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    body: object,
    options: ApplyOptions,
  ): Promise<T> {
    const metadata = 'metadata' in body && typeof body.metadata === 'object' ? body.metadata : {};
    return this.#call<T>(
      {
        verb: 'apply',
        resource: resourceName(resource),
        method: 'PATCH',
        path: resourcePath(resource, namespace, name, options.subresource),
        query: { fieldManager: options.fieldManager, force: options.force ?? true },
        body: JSON.stringify({
          ...body,
          apiVersion: apiVersionOf(resource),
          kind: resource.kind,
          metadata: { ...metadata, name },
        }),
        // JSON is YAML, and the server knows apply by this name only.
        contentType: 'application/apply-patch+yaml',
      },
      true,
      options,
    );
  }

  applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    status: object,
    options: ApplyOptions & { resourceVersion?: string; uid?: string },
  ): Promise<T> {
    const { resourceVersion, uid } = options;
    const body = { metadata: { resourceVersion, uid }, status };
    return this.apply(resource, namespace, name, body, { ...options, subresource: 'status' });
  }

  async *podLog(options: PodLogOptions): AsyncGenerator<Uint8Array> {
    const deadline = new Deadline(this.#clock, options.signal);
    try {
      deadline.set(options.deadlineMs ?? defaultDeadlineMs, 'the API server did not start the log');
      const body = await this.#transport.stream(
        {
          verb: 'log',
          resource: 'pods',
          method: 'GET',
          path: resourcePath(pods, options.namespace, options.pod, 'log'),
          query: {
            container: options.container,
            sinceTime: options.sinceTime,
            timestamps: options.timestamps ?? true,
            follow: options.follow,
            limitBytes: options.limitBytes,
          },
        },
        deadline,
      );
      deadline.clear();
      yield* body;
    } finally {
      deadline.close();
    }
  }

  async tokenReview(
    token: string,
    audiences: readonly string[],
    options: CallOptions = {},
  ): Promise<TokenReviewStatus> {
    const review = await this.#call<TokenReview>(
      {
        verb: 'create',
        resource: resourceName(tokenReviews),
        method: 'POST',
        path: resourcePath(tokenReviews, undefined),
        body: JSON.stringify({
          apiVersion: apiVersionOf(tokenReviews),
          kind: tokenReviews.kind,
          spec: { token, audiences },
        }),
      },
      // Nothing is stored by a review, so asking twice is harmless.
      true,
      options,
    );
    return review.status ?? {};
  }

  raw(path: string, options: CallOptions = {}): Promise<string> {
    return this.#send({ verb: 'get', resource: 'raw', method: 'GET', path }, true, options);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #call<R>(request: ApiRequest, repeatable: boolean, options: CallOptions): Promise<R> {
    const text = await this.#send(request, repeatable, options);
    try {
      // What a resource's objects look like is the server's word; only here does it become a type.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      return JSON.parse(text) as R;
    } catch (error) {
      throw new KubeConnectionError('the answer of the API server is not JSON', { cause: error });
    }
  }

  async #send(request: ApiRequest, repeatable: boolean, options: CallOptions): Promise<string> {
    const deadline = new Deadline(this.#clock, options.signal);
    deadline.set(options.deadlineMs ?? defaultDeadlineMs, `no answer to ${request.verb} ${request.resource}`);
    try {
      let earlier: unknown;
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await this.#transport.call(request, deadline);
        } catch (error) {
          // Out of time on a later attempt: what the first ones met is the more telling error.
          if (error instanceof KubeTimeoutError && earlier !== undefined) throw earlier;
          deadline.signal.throwIfAborted();
          earlier = error;
          const delayMs = retryDelayMs(error, attempt, repeatable, this.#retry, this.#random);
          if (delayMs === undefined || delayMs >= deadline.remainingMs) throw error;
          await sleep(delayMs, this.#clock, deadline.signal);
        }
      }
    } finally {
      deadline.close();
    }
  }
}
