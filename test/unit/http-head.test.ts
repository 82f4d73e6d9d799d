import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkedBody } from '../../workers/http/chunked.ts';
import {
  formatRequestHead,
  parseResponseHead,
  ProtocolError,
  UnsendableError,
} from '../../workers/http/head.ts';

describe("a request's head", () => {
  const request = { method: 'PUT', path: '/b/k?x=1', headers: { host: 'h', 'x-amz-meta-a': 'é' } };

  test('is written as it is to be sent', () => {
    expect(formatRequestHead(request, 0)).toBe(
      'PUT /b/k?x=1 HTTP/1.1\r\nhost: h\r\nx-amz-meta-a: é\r\ncontent-length: 0\r\n\r\n',
    );
    expect(formatRequestHead({ ...request, method: 'GET', headers: {} }, 0)).toBe(
      'GET /b/k?x=1 HTTP/1.1\r\n\r\n',
    );
  });

  test.each(['/a b', '/a\r\nx: y', '/a\nb', '/é', '/a\0'])('never with the path %j', (path) => {
    expect(() => formatRequestHead({ ...request, path }, 0)).toThrow(UnsendableError);
  });

  test.each(['a\r\nx: y', 'a\nb', 'a\0', '\u0100'])('never with the value %j', (value) => {
    expect(() => formatRequestHead({ ...request, headers: { host: 'h', x: value } }, 0)).toThrow(
      UnsendableError,
    );
  });
});

describe("an answer's head", () => {
  const parse = (lines: readonly string[], method = 'GET') => parseResponseHead(lines.join('\r\n'), method);

  test('tells status, headers and how long its body is', () => {
    const head = parse([
      'HTTP/1.1 200 OK',
      'Content-Length: 12',
      'ETag:"e"',
      'x-a: 1',
      'X-A:  2 ',
      'y:\t\xd0\xa0 ',
    ]);
    expect(head).toEqual({
      status: 200,
      headers: { 'content-length': '12', etag: '"e"', 'x-a': '1, 2', y: '\xd0\xa0' },
      framing: { kind: 'Length', bytes: 12 },
      keepAlive: true,
    });
  });

  test.each([
    [['HTTP/1.1 204 No Content'], 'GET', { kind: 'Length', bytes: 0 }, true],
    [['HTTP/1.1 304', 'content-length: 9'], 'GET', { kind: 'Length', bytes: 0 }, true],
    [['HTTP/1.1 200 OK', 'content-length: 9'], 'HEAD', { kind: 'Length', bytes: 0 }, true],
    [['HTTP/1.1 200 OK', 'transfer-encoding: Chunked'], 'GET', { kind: 'Chunked' }, true],
    [['HTTP/1.1 200 OK'], 'GET', { kind: 'UntilClose' }, false],
    [
      ['HTTP/1.1 200 OK', 'content-length: 1', 'Connection: Close'],
      'GET',
      { kind: 'Length', bytes: 1 },
      false,
    ],
    [['HTTP/1.0 200 OK', 'content-length: 1'], 'GET', { kind: 'Length', bytes: 1 }, false],
    [
      ['HTTP/1.0 200 OK', 'content-length: 1', 'connection: keep-alive'],
      'GET',
      { kind: 'Length', bytes: 1 },
      true,
    ],
  ] as const)('%j to %s', (lines, method, framing, keepAlive) => {
    expect(parse(lines, method)).toMatchObject({ framing, keepAlive });
  });

  test.each([
    [['HTTP/2 200 OK']],
    [['HTTP/1.1 099 Low']],
    [['HTTP/1.1 2000']],
    [['<html>']],
    [['HTTP/1.1 200 OK', ' folded: x']],
    [['HTTP/1.1 200 OK', 'no colon']],
    [['HTTP/1.1 200 OK', 'sp ace: x']],
    [['HTTP/1.1 200 OK', ': x']],
    [['HTTP/1.1 200 OK', 'content-length: -1']],
    [['HTTP/1.1 200 OK', 'content-length: 1', 'content-length: 2']],
    [['HTTP/1.1 200 OK', 'content-length: 0x1']],
    [['HTTP/1.1 200 OK', 'content-length: 1', 'transfer-encoding: chunked']],
    [['HTTP/1.1 200 OK', 'transfer-encoding: gzip, chunked']],
  ])('%j is refused', (lines) => {
    expect(() => parse(lines)).toThrow(ProtocolError);
  });
});

describe('a chunked body', () => {
  const read = (pieces: readonly Buffer[]) => {
    const body = new ChunkedBody();
    const chunks: Buffer[] = [];
    let left = Buffer.alloc(0);
    for (const piece of pieces) {
      const count = body.read(piece, (chunk) => chunks.push(Buffer.from(chunk)));
      left = Buffer.concat([left, piece.subarray(count)]);
    }
    return { data: Buffer.concat(chunks), complete: body.isComplete, left };
  };

  test('is the same wherever it is cut, and ends where it says', () => {
    const chunk = fc.tuple(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.constantFrom('', ';x="y"', ' '),
    );
    const input = fc.record({
      chunks: fc.array(chunk, { maxLength: 6 }),
      trailers: fc.constantFrom('', 'x-amz-checksum-crc32: AAAAAA==\r\n'),
      surplus: fc.uint8Array({ maxLength: 5 }),
      cuts: fc.array(fc.nat(400), { maxLength: 8 }),
    });
    fc.assert(
      fc.property(input, ({ chunks, trailers, surplus, cuts }) => {
        const wire = Buffer.concat([
          ...chunks.flatMap(([bytes, extension]) => [
            Buffer.from(`${bytes.length.toString(16)}${extension}\r\n`),
            bytes,
            Buffer.from('\r\n'),
          ]),
          Buffer.from(`0\r\n${trailers}\r\n`),
          surplus,
        ]);
        const places = [0, ...cuts.map((cut) => Math.min(cut, wire.length)), wire.length].toSorted(
          (a, b) => a - b,
        );
        const pieces = places.slice(1).map((end, n) => wire.subarray(places[n], end));
        const { data, complete, left } = read(pieces);
        expect(complete).toBe(true);
        expect(data.equals(Buffer.concat(chunks.map(([bytes]) => bytes)))).toBe(true);
        expect(left.equals(Buffer.from(surplus))).toBe(true);
      }),
    );
  });

  test.each([
    'g\r\n',
    '\r\n',
    '-1\r\n',
    '1\nx',
    '1\r\nxyz\r\n',
    '1\r\nx\n',
    `${'a'.repeat(13)}\r\n`,
    'a'.repeat(5000),
  ])('%j is refused', (text) => {
    expect(() => read([Buffer.from(text)])).toThrow(ProtocolError);
  });

  test('is not complete before its last line', () => {
    expect(read([Buffer.from('1\r\nx\r\n0\r\n')])).toMatchObject({ complete: false });
  });
});
