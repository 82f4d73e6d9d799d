import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { S3Client } from '../../workers/s3/client.ts';
import { copyObject } from '../../workers/s3/copies.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { Lane } from '../../workers/s3/lane.ts';
import { completeMultipart, uploadPartCopy } from '../../workers/s3/multipart.ts';
import { deleteObject, getObject, headObject, openObject, putObject } from '../../workers/s3/objects.ts';
import { listUploads } from '../../workers/s3/uploads.ts';
import { listen, stopServer } from '../support/grants.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

let server: Server;
let client: S3Client;
let handle: Handler;
let seen: IncomingMessage[];
const never = new AbortController().signal;
const object = { bucket: 'b', key: 'k' };

beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    seen.push(request);
    request.resume();
    handle(request, response, seen.length);
  });
  client = new S3Client({
    endpoint: await listen(server),
    credentials: fixedCredentials({ accessKeyId: 'A', secretAccessKey: 'topsecret' }),
    retry: { attempts: 3, baseDelay: 1, maxDelay: 5 },
  });
});
afterEach(async () => {
  await client.close();
  await stopServer(server);
});

function error(code: string): string {
  return `<Error><Code>${code}</Code><Message>m</Message></Error>`;
}

describe('one request', () => {
  test('goes out with the key byte for byte', async () => {
    handle = (_request, response) => response.end('body');
    for (const key of ['x/../y', './a', 'a//b', 'é+ ?#%'])
      await getObject(client, { bucket: 'b', key }, never);
    expect(seen.map(({ url }) => url)).toEqual([
      '/b/x/../y',
      '/b/./a',
      '/b/a//b',
      '/b/%C3%A9%2B%20%3F%23%25',
    ]);
  });

  test('is signed when there is a connection for it, however long it waited', async () => {
    const held: ServerResponse[] = [];
    handle = (_request, response, count) => void (count === 1 ? held.push(response) : response.end());
    let now = new Date('2026-01-01T00:00:00Z');
    const single = new S3Client({
      endpoint: client.address('b').origin,
      credentials: fixedCredentials({ accessKeyId: 'A', secretAccessKey: 's' }),
      connections: 1,
      now: () => now,
    });
    const first = getObject(single, object, never);
    const [second, third] = [getObject(single, object, never), openObject(single, object, never)];
    await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 120_000 });
    now = new Date('2026-01-01T01:00:00Z');
    held[0]?.end();
    await Promise.all([first, second]);
    (await third).body.resume();
    expect(seen.map(({ headers }) => headers['x-amz-date'])).toEqual([
      '20260101T000000Z',
      '20260101T010000Z',
      '20260101T010000Z',
    ]);
    await single.close();
  });

  test('an answer that never comes ends at the deadline, and is tried again', async () => {
    handle = () => undefined;
    const request = { operation: 'HeadObject', method: 'HEAD', timeout: 100, ...object } as const;
    await expect(client.request(request, () => 1, never)).rejects.toMatchObject({
      code: 'Timeout',
      retryClass: 'transient',
    });
    expect(seen).toHaveLength(3);
  });

  test('a body that drips past the deadline is broken off', async () => {
    handle = (_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    };
    const request = { operation: 'GetObject', method: 'GET', timeout: 150, ...object } as const;
    await expect(client.request(request, () => 1, never)).rejects.toMatchObject({ code: 'Timeout' });
  });

  test('abort ends it at once with the reason given', async () => {
    handle = () => undefined;
    const abort = new AbortController();
    const waiting = getObject(client, object, abort.signal);
    await vi.waitFor(() => expect(seen).toHaveLength(1), { timeout: 120_000 });
    abort.abort(new Error('told to stop'));
    await expect(waiting).rejects.toThrow('told to stop');
    expect(seen).toHaveLength(1);
  });

  test('half a body is no answer', async () => {
    handle = (_request, response, count) => {
      if (count > 1) {
        response.end('whole');
        return;
      }
      response.writeHead(200, { 'content-length': '5' });
      response.write('wh');
      setTimeout(() => response.destroy(), 20);
    };
    expect((await getObject(client, object, never))?.toString()).toBe('whole');
  });

  test('a redirect is refused without following it', async () => {
    handle = (_request, response) => response.writeHead(301, { location: 'http://127.0.0.1:9/evil' }).end();
    await expect(getObject(client, object, never)).rejects.toMatchObject({
      code: 'Redirect',
      retryClass: 'fatal',
    });
    expect(seen).toHaveLength(1);
  });

  test('of a client that is closed ends for good, also the one under way', async () => {
    handle = () => undefined;
    const waiting = Promise.allSettled([getObject(client, object, never), openObject(client, object, never)]);
    await vi.waitFor(() => expect(seen).toHaveLength(2), { timeout: 120_000 });
    await client.close();
    const later = Promise.allSettled([getObject(client, object, never), openObject(client, object, never)]);
    const closed = { status: 'rejected', reason: new Error('the client is closed') };
    expect([...(await waiting), ...(await later)]).toEqual([closed, closed, closed, closed]);
    expect(seen).toHaveLength(2);
  });

  test('nobody there: bounded, and said without secrets', async () => {
    await stopServer(server);
    const failure = await getObject(client, object, never).catch((caught: unknown) => caught);
    expect(failure).toMatchObject({ code: 'ConnectionFailed' });
    expect(String(failure)).toContain('ECONNREFUSED');
    expect(String(failure)).not.toContain('topsecret');
  });
});

describe('a store that asks for fewer requests', () => {
  test('gets none while it asks for silence, from nobody', async () => {
    const times: number[] = [];
    handle = (_request, response, count) => {
      times.push(performance.now());
      if (count === 1) response.writeHead(503, { 'retry-after': '1' }).end(error('SlowDown'));
      else response.end('x');
    };
    const first = getObject(client, object, never);
    while (times.length === 0) await sleep(5);
    await sleep(50);
    await Promise.all([first, getObject(client, object, never), getObject(client, object, never)]);
    expect(times).toHaveLength(4);
    // The store counts whole seconds from its answer, which was a moment before it is known here.
    for (const time of times.slice(1)) expect(time - (times[0] ?? 0)).toBeGreaterThan(990);
    expect(client.traffic).toEqual({ sent: 4, throttled: 1 });
  });

  test.each([
    ['503', 503, error('SlowDown')],
    ['429', 429, ''],
    ['a 200 that holds it', 200, error('SlowDown')],
    ['its own word', 503, error('RequestLimitExceeded')],
    ['ServiceUnavailable', 503, error('ServiceUnavailable')],
  ])('is understood when it says so by %s', async (_name, status, body) => {
    handle = (_request, response, count) =>
      count === 1
        ? response.writeHead(status).end(body)
        : response.end('<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>');
    await copyObject(client, { source: { bucket: 'a', key: 's', etag: 'e' }, ...object }, never);
    expect(client.traffic).toEqual({ sent: 2, throttled: 1 });
  });

  test('slows down once for all that had passed before, also those that waited for a connection', async () => {
    const refuse = vi.spyOn(Lane.prototype, 'refused');
    const held: ServerResponse[] = [];
    handle = (_request, response) => void held.push(response);
    const single = new S3Client({
      endpoint: client.address('b').origin,
      credentials: fixedCredentials({ accessKeyId: 'A', secretAccessKey: 's' }),
      connections: 1,
      retry: { attempts: 1, baseDelay: 1, maxDelay: 1 },
    });
    const both = Promise.allSettled([getObject(single, object, never), getObject(single, object, never)]);
    while (single.traffic.sent < 2) await sleep(1);
    const slowedAt = performance.now();
    for (let count = 1; count <= 2; count += 1) {
      await vi.waitFor(() => expect(held).toHaveLength(count), { timeout: 120_000 });
      held.at(-1)?.writeHead(503).end(error('SlowDown'));
    }
    await both;
    const passedAt = refuse.mock.calls.map(([sentAt]) => sentAt);
    refuse.mockRestore();
    expect(passedAt).toHaveLength(2);
    for (const time of passedAt) expect(time).toBeLessThanOrEqual(slowedAt);
    await single.close();
  });

  test('who waits for his turn can be told to stop', async () => {
    handle = (_request, response) => response.writeHead(503, { 'retry-after': '60' }).end(error('SlowDown'));
    const first = new AbortController();
    const refused = getObject(client, object, first.signal);
    while (client.traffic.throttled === 0) await sleep(5);
    const abort = new AbortController();
    const waiting = getObject(client, object, abort.signal);
    setTimeout(() => abort.abort(new Error('told to stop')), 10);
    await expect(waiting).rejects.toThrow('told to stop');
    expect(seen).toHaveLength(1);
    first.abort(new Error('enough'));
    await expect(refused).rejects.toThrow('enough');
  });
});

describe('operations', () => {
  test('what is not there is undefined, or fine to delete', async () => {
    handle = (request, response) =>
      response.writeHead(404).end(request.method === 'HEAD' ? '' : error('NoSuchKey'));
    expect(await headObject(client, object, never)).toBeUndefined();
    expect(await getObject(client, object, never)).toBeUndefined();
    expect(await deleteObject(client, object, never)).toBeUndefined();
  });

  test.each([
    [400, 'in words', 403, error('ExpiredToken'), { code: 'ExpiredToken', retryClass: 'fatal' }],
    [400, 'with other words', 400, error('BadDigest'), { code: 'BadDigest', retryClass: 'permanent' }],
    [400, 'not at all', 200, 'x', { code: 'BadRequest', status: 400 }],
    [400, 'because it is empty', 416, error('InvalidRange'), { code: 'BadRequest', status: 400 }],
    [403, 'in words', 400, error('ExpiredToken'), { code: 'ExpiredToken', retryClass: 'fatal' }],
    [403, 'in words of its own', 403, error('Forbidden'), { code: 'AccessDenied', status: 403 }],
  ])(
    'a HEAD that is refused with %i and no word is explained by a GET that is refused %s',
    async (refusal, _name, status, body, wanted) => {
      handle = (request, response) => {
        if (request.method === 'HEAD') response.writeHead(refusal).end();
        else response.writeHead(status).end(body);
      };
      await expect(headObject(client, { ...object, ifMatch: 'e' }, never)).rejects.toMatchObject(wanted);
      expect(seen.map(({ method }) => method)).toEqual(['HEAD', 'GET']);
      expect(seen[1]?.headers).toMatchObject({ range: 'bytes=0-0', 'if-match': '"e"' });
    },
  );

  test('a HEAD that is refused where a GET finds nothing found nothing', async () => {
    handle = (request, response) =>
      response.writeHead(request.method === 'HEAD' ? 403 : 404).end(error('NoSuchKey'));
    expect(await headObject(client, object, never)).toBeUndefined();
  });

  test('conditions and ranges are sent', async () => {
    handle = (_request, response) => response.writeHead(200, { etag: '"e"' }).end('x');
    await putObject(
      client,
      { ...object, body: Buffer.from('x'), createOnly: true, contentMd5: 'bWQ1' },
      never,
    );
    await getObject(client, { ...object, range: { first: 5, last: 9 }, ifMatch: 'abc' }, never);
    await deleteObject(client, { ...object, ifMatch: 'abc' }, never);
    expect(seen[0]?.headers).toMatchObject({ 'if-none-match': '*', 'content-md5': 'bWQ1' });
    expect(seen[1]?.headers).toMatchObject({ range: 'bytes=5-9', 'if-match': '"abc"' });
    expect(seen[2]?.headers).toMatchObject({ 'if-match': '"abc"' });
  });

  test.each([
    ['an error in a 200', error('InternalError')],
    ['an empty 200', ''],
    ['a 200 without an ETag', '<CopyObjectResult></CopyObjectResult>'],
  ])('a copy that answers %s did not succeed', async (_name, body) => {
    handle = (_request, response) => response.end(body);
    const what = { source: { bucket: 'a', key: 's', etag: 'e' }, ...object };
    await expect(copyObject(client, what, never)).rejects.toMatchObject({ retryClass: 'transient' });
    expect(seen).toHaveLength(3);
    expect(seen[0]?.headers).toMatchObject({
      'x-amz-copy-source': 'a/s',
      'x-amz-copy-source-if-match': '"e"',
    });
  });

  test('a range may be longer than other answers may be', async () => {
    const size = 33 * 1024 ** 2;
    handle = (_request, response) => response.end(Buffer.alloc(size));
    const range = { first: 0, last: size - 1 };
    expect((await getObject(client, { ...object, range }, never))?.length).toBe(size);
    await expect(getObject(client, object, never)).rejects.toThrow(/larger than 32 MiB/);
  });

  const result = '<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>';
  const source = { bucket: 'a', key: 's', etag: 'e' };
  const range = { first: 0, last: 512 * 1024 ** 2 - 1 };
  const begun = { ...object, uploadId: 'u' };
  test.each([
    ['an object', 4, 'x', () => getObject(client, object, never)],
    [
      'a part',
      4,
      'x',
      () => getObject(client, { ...object, range: { first: 0, last: 16 * 1024 ** 2 } }, never),
    ],
    ['a copy', 210, result, () => copyObject(client, { ...object, source, size: 5 * 1024 ** 3 }, never)],
    [
      'a copy of a part',
      30,
      result,
      () => uploadPartCopy(client, begun, { number: 1, source, range }, never),
    ],
  ])('%s may take its time: %i minutes', async (_name, minutes, body, ask) => {
    const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
    handle = (_request, response, count) => void (count === 1 ? resolve(response) : response.end(body));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const done = ask();
      const response = await asked;
      await vi.advanceTimersByTimeAsync(minutes * 60_000);
      response.end(body);
      await done;
      expect(seen).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test('an upload to a key that is not UTF-8 is left out of the list of uploads', async () => {
    const upload = (key: string) =>
      `<Upload><Key>${key}</Key><UploadId>u</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload>`;
    const list = `<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>${upload('a%FF')}${upload('b+c')}`;
    handle = (_request, response) =>
      response.end(`<ListMultipartUploadsResult>${list}</ListMultipartUploadsResult>`);
    const keys: string[] = [];
    for await (const { key } of listUploads(client, { bucket: 'b', prefix: '' }, never)) keys.push(key);
    expect(keys).toEqual(['b c']);
  });

  test('a list of uploads that goes round in circles is an error', async () => {
    const next = '<NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>';
    const list = `<IsTruncated>true</IsTruncated>${next}`;
    handle = (_request, response, count) =>
      response.end(count < 9 ? `<ListMultipartUploadsResult>${list}</ListMultipartUploadsResult>` : '');
    const listing = listUploads(client, { bucket: 'b', prefix: '' }, never).next();
    await expect(listing).rejects.toThrow('the store repeats its marker');
    expect(seen).toHaveLength(2);
  });

  test('a multipart upload that ends with an error in a 200 did not succeed', async () => {
    handle = (_request, response) => response.end(error('InvalidPart'));
    const done = completeMultipart(client, { ...object, uploadId: 'u' }, [{ number: 1, etag: 'e' }], never);
    await expect(done).rejects.toMatchObject({ code: 'InvalidPart', retryClass: 'permanent' });
  });

  test('a stream whose reader pauses goes on, and one in which nothing comes ends', async () => {
    const whole = Buffer.alloc(4 * 1024 ** 2, 'x');
    handle = (_request, response) => response.end(whole);
    const open = (timeout: number) =>
      client.open({ operation: 'GetObject', method: 'GET', timeout, ...object }, never);
    const { body } = await open(200);
    await sleep(1_000);
    expect((await buffer(body)).length).toBe(whole.length);
    handle = (_request, response) => void response.writeHead(200, { 'content-length': '9' }).write('x');
    await expect(text((await open(200)).body)).rejects.toThrow('nothing came for 0.2 s');
  });

  test('an error whose words break off is that error all the same, and is tried again', async () => {
    handle = (_request, response, count) => {
      if (count > 1) {
        response.end('streamed');
      } else {
        response.writeHead(503, { 'content-length': '1000' }).write('<Error>');
        setTimeout(() => response.destroy(), 20);
      }
    };
    expect(await text((await openObject(client, object, never)).body)).toBe('streamed');
  });

  test('what can never be sent is not tried again', async () => {
    handle = (_request, response) => response.end();
    const headers = { 'x-amz-meta-a': 'a\r\nb: c' };
    const put = putObject(client, { ...object, body: Buffer.from('x'), headers }, never);
    await expect(put).rejects.toMatchObject({ code: 'InvalidRequest', retryClass: 'permanent' });
    expect(seen).toHaveLength(0);
  });

  test('a stream is handed over unread, and refused before that', async () => {
    handle = (_request, response, count) =>
      count === 1 ? response.writeHead(503).end(error('SlowDown')) : response.end('streamed');
    const { body } = await openObject(client, object, never);
    expect(await text(body)).toBe('streamed');
    handle = (_request, response) => response.writeHead(403).end(error('AccessDenied'));
    await expect(openObject(client, object, never)).rejects.toMatchObject({ code: 'AccessDenied' });
  });
});
