import { encodeQuery, type QueryParameter } from './encode.ts';
import { canonicalHeaders, formatAmzDate, UNSIGNED_PAYLOAD, type Credentials, type Signer } from './sign.ts';

/** What a presigned URL allows, once, to whoever holds it. */
export interface PresignRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT';
  /** `https://host[:port]`, without a slash at the end. */
  readonly origin: string;
  readonly host: string;
  /** Canonical path, see encode.ts. */
  readonly path: string;
  /** Extra query parameters. */
  readonly query?: readonly QueryParameter[];
  /** Lower-case headers that the holder must send exactly like this. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Seconds, 1 to 604,800. */
  readonly expiresIn: number;
}

/** A URL and the headers its holder must send with it. The URL is a secret. */
export interface PresignedUrl {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Signs a URL in its query (SigV4, payload unsigned). With `if-none-match: *` among the headers of a PUT, the holder
 * can create the object but never overwrite it.
 */
export function presign(
  signer: Signer,
  request: PresignRequest,
  credentials: Credentials,
  now: Date,
): PresignedUrl {
  const amzDate = formatAmzDate(now);
  const headers = request.headers ?? {};
  const { block, names } = canonicalHeaders({ ...headers, host: request.host });
  const parameters: QueryParameter[] = [
    ...(request.query ?? []),
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${credentials.accessKeyId}/${signer.scope(amzDate.slice(0, 8))}`],
    ['X-Amz-Date', amzDate],
    ['X-Amz-Expires', String(request.expiresIn)],
    ['X-Amz-SignedHeaders', names],
  ];
  if (credentials.sessionToken !== undefined)
    parameters.push(['X-Amz-Security-Token', credentials.sessionToken]);
  const query = encodeQuery(parameters);
  const canonical = `${request.method}\n${request.path}\n${query}\n${block}\n${names}\n${UNSIGNED_PAYLOAD}`;
  const signature = signer.signature(credentials.secretAccessKey, amzDate, canonical);
  return { url: `${request.origin}${request.path}?${query}&X-Amz-Signature=${signature}`, headers };
}
