import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeKey, encodeQuery, type QueryParameter } from '../../workers/s3/encode.ts';
import { presign } from '../../workers/s3/presign.ts';
import { hashPayload, Signer, UNSIGNED_PAYLOAD, type Credentials } from '../../workers/s3/sign.ts';

/** The SHA-256 that the SDK's signer wants to be given. */
class Sha256 {
  readonly #hash: Hash | Hmac;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', toBytes(secret));
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    throw new Error('the signer does not reset');
  }
}

function toBytes(secret: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof secret === 'string') return secret;
  if (secret instanceof ArrayBuffer) return new Uint8Array(secret);
  return new Uint8Array(secret.buffer, secret.byteOffset, secret.byteLength);
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const keys = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter((key) => key.isWellFormed()),
  fc.constantFrom(
    'a//b',
    'x/../y',
    './a',
    '/lead',
    'trail/',
    '+ %20?#&=<>"\'(){}~*!|^`\\\n\t\u0001',
    'é/e\u0301/😀',
  ),
);
/** The reference keeps a query in a plain object, which cannot hold this one name; ours can. */
const queryNames = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((name) => name !== '__proto__');
const queries = fc.uniqueArray(fc.tuple(queryNames, text), {
  selector: ([name]) => name,
  maxLength: 5,
});
const headerNames = fc.constantFrom(
  'content-type',
  'content-md5',
  'cache-control',
  'if-none-match',
  'range',
  'user-agent',
  'x-amz-acl',
  'x-amz-copy-source',
  'x-amz-copy-source-if-match',
  'x-amz-meta-a',
  'x-amz-meta-long-name',
);
const headerValues = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 30 });
const headers = fc.dictionary(headerNames, headerValues, { maxKeys: 6 });
const credentials = fc.record({
  accessKeyId: fc.stringMatching(/^[A-Z0-9]{16,20}$/),
  secretAccessKey: fc.stringMatching(/^[A-Za-z0-9/+]{20,40}$/),
  sessionToken: fc.option(fc.stringMatching(/^[A-Za-z0-9/+=]{10,60}$/), { nil: undefined }),
});
const times = fc.date({ min: new Date('2015-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
const regions = fc.constantFrom('us-east-1', 'eu-central-1', 'auto');
const methods = fc.constantFrom('GET', 'PUT', 'HEAD', 'DELETE', 'POST');
const hosts = fc.constantFrom('127.0.0.1:7070', 's3.example.com', 'bucket.s3.eu-central-1.amazonaws.com');

function referenceSigner(region: string, given: Credentials): SignatureV4 {
  return new SignatureV4({
    service: 's3',
    region,
    credentials: { ...given },
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: true,
  });
}

function referenceRequest(method: string, host: string, path: string, query: readonly QueryParameter[]) {
  const [hostname = '', port] = host.split(':');
  return {
    method,
    protocol: 'http:',
    hostname,
    ...(port === undefined ? {} : { port: Number(port) }),
    path,
    query: Object.fromEntries(query),
  };
}

const unsignedBody = { 'x-amz-content-sha256': UNSIGNED_PAYLOAD };
const hashHeader = new Set(['x-amz-content-sha256']);

describe('our signatures against those of the AWS SDK', () => {
  test('header signatures are equal for any key, query, header and time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(keys, queries, headers, credentials, times),
        fc.tuple(regions, methods, hosts, fc.uint8Array({ maxLength: 50 }), fc.boolean()),
        async ([key, query, given, creds, now], [region, method, host, body, unsigned]) => {
          const path = `/bucket/${encodeKey(key)}`;
          const payloadHash = unsigned ? UNSIGNED_PAYLOAD : hashPayload(body);
          const signable = { method, host, path, query: encodeQuery(query), headers: given };
          const ours = new Signer(region).signHeaders(signable, payloadHash, creds, now);
          const theirs = await referenceSigner(region, creds).sign(
            {
              ...referenceRequest(method, host, path, query),
              headers: { ...given, host, 'x-amz-content-sha256': payloadHash },
              body,
            },
            { signingDate: now },
          );
          expect(ours).toEqual(theirs.headers);
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each(['Ablage für Fotos', 'voilà', '写真'])('a value is signed by its bytes: %s', async (value) => {
    const creds = { accessKeyId: 'A', secretAccessKey: 's' };
    const now = new Date('2026-01-02T03:04:05Z');
    const request = { method: 'PUT', host: 's3.example.com', path: '/b/k', query: '' };
    // As undici has it from one store's answer, and sends it to another.
    const asBytes = Buffer.from(value, 'utf8').toString('latin1');
    const signable = { ...request, headers: { 'x-amz-meta-a': asBytes } };
    const ours = new Signer('eu-central-1').signHeaders(signable, UNSIGNED_PAYLOAD, creds, now);
    const theirs = await referenceSigner('eu-central-1', creds).sign(
      {
        ...referenceRequest(request.method, request.host, request.path, []),
        headers: { 'x-amz-meta-a': value, host: request.host, ...unsignedBody },
      },
      { signingDate: now },
    );
    expect(ours['authorization']).toBe(theirs.headers['authorization']);
  });

  test('presigned URLs are equal, also where a PUT may only create', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(keys, queries, credentials, times),
        fc.tuple(regions, hosts, fc.integer({ min: 1, max: 604_800 }), fc.constantFrom('GET', 'PUT', 'HEAD')),
        fc.boolean(),
        async ([key, query, creds, now], [region, host, expiresIn, method], createOnly) => {
          const path = `/bucket/${encodeKey(key)}`;
          const given: Record<string, string> = createOnly ? { 'if-none-match': '*' } : {};
          const request = {
            method,
            origin: `http://${host}`,
            host,
            path,
            query,
            headers: given,
            expiresIn,
          } as const;
          const ours = new URL(presign(new Signer(region), request, creds, now).url);
          const theirs = await referenceSigner(region, creds).presign(
            { ...referenceRequest(method, host, path, query), headers: { ...given, host, ...unsignedBody } },
            // The SDK would carry the hash in the URL; the store takes UNSIGNED-PAYLOAD for granted there.
            { signingDate: now, expiresIn, unhoistableHeaders: hashHeader, unsignableHeaders: hashHeader },
          );
          expect(theirs.query?.['X-Amz-SignedHeaders']).toBe(createOnly ? 'host;if-none-match' : 'host');
          expect(Object.fromEntries(ours.searchParams)).toEqual({ ...theirs.query });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('one signer follows credentials and days as they change', () => {
    const signer = new Signer('us-east-1');
    const request = { method: 'GET', host: 'h', path: '/b/k', query: '', headers: {} };
    const first = { accessKeyId: 'A', secretAccessKey: 'one' };
    const second = { accessKeyId: 'A', secretAccessKey: 'two' };
    const day = new Date('2026-01-01T00:00:00Z');
    const next = new Date('2026-01-02T00:00:00Z');
    const seen = [
      signer.signHeaders(request, UNSIGNED_PAYLOAD, first, day),
      signer.signHeaders(request, UNSIGNED_PAYLOAD, second, day),
      signer.signHeaders(request, UNSIGNED_PAYLOAD, first, next),
      signer.signHeaders(request, UNSIGNED_PAYLOAD, first, day),
    ].map((signed) => signed['authorization']);
    expect(seen[3]).toBe(seen[0]);
    expect(new Set(seen).size).toBe(3);
  });
});
