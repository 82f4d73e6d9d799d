/** What the operator asks of an API server: the interface that the HTTP client and the fakes of the tests share. */
import type { Resource } from './resource.ts';
import type { KubeList, KubeObject, TokenReviewStatus, WatchEvent } from './types.ts';

/** What every call takes. */
export interface CallOptions {
  /** Deadline of the whole call with its retries, in milliseconds; 10,000 unless given. */
  deadlineMs?: number;
  signal?: AbortSignal;
}

/** The deadline holds for each page. */
export interface ListOptions extends CallOptions {
  labelSelector?: string;
  fieldSelector?: string;
  /** '0' reads the server's cache; absent reads the newest. */
  resourceVersion?: string;
  /** Page size; pages are followed to the end. Absent: one page (the server ignores a limit with '0' anyway). */
  limit?: number;
}

export interface WatchOptions {
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  /** When the server is to end the watch, in seconds. */
  timeoutSeconds?: number;
  /** Ends the watch with KubeTimeoutError when nothing at all came for so long, in milliseconds. */
  idleTimeoutMs?: number;
  /** Asks for bookmarks; true unless given. */
  allowBookmarks?: boolean;
  signal?: AbortSignal;
}

export interface DeleteOptions extends CallOptions {
  /** Always said: the server's default for Jobs orphans their pods. */
  propagationPolicy: 'Background' | 'Foreground' | 'Orphan';
  gracePeriodSeconds?: number;
  /** 409 unless the object is still this one. */
  preconditions?: { uid?: string; resourceVersion?: string };
}

export interface PatchOptions extends CallOptions {
  subresource?: 'status' | 'scale';
  fieldManager?: string;
}

export interface ApplyOptions extends CallOptions {
  fieldManager: string;
  /** Takes over fields that others own; true unless given. */
  force?: boolean;
  subresource?: 'status';
}

export interface PodLogOptions {
  namespace: string;
  pod: string;
  container: string;
  /** RFC 3339; the server compares whole seconds. */
  sinceTime?: string;
  /** Prefixes every line with its time; true unless given. */
  timestamps?: boolean;
  follow?: boolean;
  limitBytes?: number;
  /** How long the answer's head may take, in milliseconds; 10,000 unless given. The body has no deadline. */
  deadlineMs?: number;
  signal?: AbortSignal;
}

/**
 * The API server as raw JSON. Errors: KubeError (an answer), KubeConnectionError, KubeTimeoutError, or the signal's
 * reason. Reads, patches, applies, updates and deletes are sent again, within the deadline, after connection errors,
 * 429 and 5xx; a create only when the server surely did not take it. After a repeated send a delete may answer 404
 * and an update or a patch with a resourceVersion 409: the caller looks at the world, as after any of them.
 */
export interface KubeClient {
  get<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    options?: CallOptions,
  ): Promise<T>;
  /** The whole collection; `namespace` undefined means all namespaces. */
  list<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    options?: ListOptions,
  ): Promise<KubeList<T>>;
  /** Ends when the server ends it; throws when it breaks. An ERROR line is thrown as KubeError. */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    options?: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;
  /** POST. `apiVersion` and `kind` are filled in. */
  create<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    body: T,
    options?: CallOptions,
  ): Promise<T>;
  /** PUT of the whole object with its resourceVersion. Only for objects whose every field came from raw JSON. */
  update<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    body: T,
    options?: PatchOptions,
  ): Promise<T>;
  delete<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): Promise<void>;
  /** JSON merge patch: lists are replaced whole, so put metadata.resourceVersion in when you touch one. */
  mergePatch<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    patch: object,
    options?: PatchOptions,
  ): Promise<T>;
  /** Server-side apply. `apiVersion`, `kind` and `metadata.name` are filled in. */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    body: object,
    options: ApplyOptions,
  ): Promise<T>;
  /**
   * Server-side apply of the status subresource: the full status each time. With `resourceVersion` a stale view is
   * refused with 409.
   */
  applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    status: object,
    options: ApplyOptions & { resourceVersion?: string; uid?: string },
  ): Promise<T>;
  /** The log of one container as the server streams it. Stops, cleanly, when the reader does. */
  podLog(options: PodLogOptions): AsyncIterable<Uint8Array>;
  /** Asks the server who a token belongs to. The token is in no error and no log. */
  tokenReview(token: string, audiences: readonly string[], options?: CallOptions): Promise<TokenReviewStatus>;
  /** Any other read, such as `/version` or `/readyz`, as text. */
  raw(path: string, options?: CallOptions): Promise<string>;
  /** Closes the connections; calls in flight fail. */
  close(): Promise<void>;
}
