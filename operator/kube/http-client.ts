/** The client of the API server over HTTP: every call has a deadline, bounded retries, and the signal of its caller. */
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
import * as requests from './requests.ts';
import type { Resource } from './resource.ts';
import { defaultRetryPolicy, retryDelayMs, type RetryPolicy } from './retry.ts';
import { Transport } from './transport.ts';
import type { KubeList, KubeObject, TokenReview, TokenReviewStatus, WatchEvent } from './types.ts';
import { parseWatchEvent, splitLines } from './watch-stream.ts';

export interface HttpClientOptions {
  access: ClusterAccess;
  /** `name/version` of the program. */
  userAgent: string;
  metrics?: KubeMetrics;
  clock?: Clock;
  /** 0 <= n < 1; for jitter. */
  random?: () => number;
  retry?: RetryPolicy;
}

/** A KubeClient over undici. */
export function createKubeClient(options: HttpClientOptions): KubeClient {
  return new HttpKubeClient(options);
}

type Namespace = string | undefined;

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
    namespace: Namespace,
    name: string,
    options: CallOptions = {},
  ): Promise<T> {
    return this.#call<T>(requests.getRequest({ resource, namespace, name }), options);
  }

  async list<T extends KubeObject>(
    resource: Resource<T>,
    namespace: Namespace,
    options: ListOptions = {},
  ): Promise<KubeList<T>> {
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const request = requests.listRequest({ resource, namespace }, options, next);
      const page: KubeList<T> = await this.#call<KubeList<T>>(request, options);
      next = page.metadata.continue === '' ? undefined : page.metadata.continue;
      if (items.length === 0 && next === undefined) return page;
      items.push(...page.items);
      if (next === undefined) return { metadata: page.metadata, items };
    }
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    namespace: Namespace,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const { idleTimeoutMs } = options;
    const deadline = new Deadline(this.#clock, options.signal);
    const listen = (): void =>
      idleTimeoutMs === undefined ? deadline.clear() : deadline.set(idleTimeoutMs, 'the watch said nothing');
    try {
      deadline.set(defaultDeadlineMs, 'the API server did not start the watch');
      const request = requests.watchRequest({ resource, namespace }, options);
      const body = await this.#transport.stream(request, deadline);
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
    namespace: Namespace,
    body: T,
    options: CallOptions = {},
  ): Promise<T> {
    return this.#call<T>(requests.createRequest({ resource, namespace }, body), options);
  }

  update<T extends KubeObject>(
    resource: Resource<T>,
    namespace: Namespace,
    name: string,
    body: T,
    options: PatchOptions = {},
  ): Promise<T> {
    return this.#call<T>(requests.updateRequest({ resource, namespace, name }, body, options), options);
  }

  async delete<T extends KubeObject>(
    resource: Resource<T>,
    namespace: Namespace,
    name: string,
    options: DeleteOptions,
  ): Promise<void> {
    await this.#send(requests.deleteRequest({ resource, namespace, name }, options), options);
  }

  mergePatch<T extends KubeObject>(
    resource: Resource<T>,
    namespace: Namespace,
    name: string,
    patch: object,
    options: PatchOptions = {},
  ): Promise<T> {
    return this.#call<T>(requests.mergePatchRequest({ resource, namespace, name }, patch, options), options);
  }

  apply<T extends KubeObject>(
    resource: Resource<T>,
    namespace: Namespace,
    name: string,
    body: object,
    options: ApplyOptions,
  ): Promise<T> {
    return this.#call<T>(requests.applyRequest({ resource, namespace, name }, body, options), options);
  }

  applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    namespace: Namespace,
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
      const body = await this.#transport.stream(requests.podLogRequest(options), deadline);
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
    const review = await this.#call<TokenReview>(requests.tokenReviewRequest(token, audiences), options);
    return review.status ?? {};
  }

  raw(path: string, options: CallOptions = {}): Promise<string> {
    return this.#send(requests.rawRequest(path), options);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #call<R>(request: requests.ApiRequest, options: CallOptions): Promise<R> {
    const text = await this.#send(request, options);
    try {
      // What a resource's objects look like is the server's word; only here does it become a type.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      return JSON.parse(text) as R;
    } catch (error) {
      throw new KubeConnectionError('the answer of the API server is not JSON', { cause: error });
    }
  }

  async #send(request: requests.ApiRequest, options: CallOptions): Promise<string> {
    const deadline = new Deadline(this.#clock, options.signal);
    deadline.set(options.deadlineMs ?? defaultDeadlineMs, `no answer to ${request.verb} ${request.resource}`);
    let earlier: unknown;
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await this.#transport.call(request, deadline);
        } catch (error) {
          // Out of time on a later attempt: what the first ones met is the more telling error.
          if (error instanceof KubeTimeoutError && earlier !== undefined) throw earlier;
          deadline.signal.throwIfAborted();
          earlier = error;
          const delayMs = retryDelayMs(error, attempt, request.repeatable, this.#retry, this.#random);
          if (delayMs === undefined || delayMs >= deadline.remainingMs) throw error;
          await sleep(delayMs, this.#clock, deadline.signal);
        }
      }
    } finally {
      deadline.close();
    }
  }
}
