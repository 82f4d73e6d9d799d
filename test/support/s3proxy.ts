import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen, stopServer } from './grants.ts';

/** A request as it passes the proxy, before it is forwarded. */
export interface PassingRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

/**
 * - `pass`: forward it and its answer.
 * - `reset`: break the connection without forwarding. `lose`: forward it, then break the connection.
 * - an answer: give that instead.
 */
export type Fault = 'pass' | 'reset' | 'lose' | { readonly status: number; readonly body: string };

/** A proxy in front of a store that can misbehave, request by request. */
export interface S3Proxy {
  readonly endpoint: string;
  /** Decides about every request; may do something first. */
  onRequest: (request: PassingRequest) => Fault | Promise<Fault>;
  /** Requests that came, `METHOD url`. */
  readonly seen: PassingRequest[];
  stop(): Promise<void>;
}

/** The S3 operation of a request, as far as the copy stage uses them. */
export function operationOf({ method, url, headers }: PassingRequest): string {
  const query = new URLSearchParams(url.split('?')[1] ?? '');
  const copying = headers['x-amz-copy-source'] !== undefined;
  if (query.has('uploads')) return 'CreateMultipartUpload';
  if (query.has('partNumber')) return copying ? 'UploadPartCopy' : 'UploadPart';
  if (query.has('uploadId')) return method === 'POST' ? 'CompleteMultipartUpload' : 'AbortMultipartUpload';
  if (query.has('list-type')) return 'ListObjectsV2';
  if (query.has('tagging')) return 'GetObjectTagging';
  if (method === 'PUT') return copying ? 'CopyObject' : 'PutObject';
  return { GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' }[method] ?? method;
}

/** Whether a request is one of the probe's own. */
export function isProbe({ url }: PassingRequest): boolean {
  return url.includes('.ebbflow-probe-');
}

export async function startProxy(target: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(target);
  const seen: PassingRequest[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const { method = 'GET', url = '/', headers } = request;
    const passing = { method, url, headers };
    seen.push(passing);
    const fault = await proxy.onRequest(passing);
    if (fault === 'reset') {
      request.socket.destroy();
      return;
    }
    if (typeof fault === 'object') {
      response.writeHead(fault.status, { 'content-type': 'application/xml' }).end(fault.body);
      return;
    }
    // The Host header stays what the client signed.
    const upstream = forward({ hostname, port, method, path: url, headers }, (answer) => {
      if (fault === 'lose') {
        answer.resume();
        answer.on('end', () => request.socket.destroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    upstream.on('error', () => request.socket.destroy());
    upstream.end(Buffer.concat(chunks));
  };
  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy());
  });
  const proxy: S3Proxy = {
    endpoint: await listen(server),
    onRequest: () => 'pass',
    seen,
    stop: () => stopServer(server),
  };
  return proxy;
}
