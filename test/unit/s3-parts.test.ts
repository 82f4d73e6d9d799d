import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { S3Client } from '../../workers/s3/client.ts';
import { copySourceHeader } from '../../workers/s3/copies.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { encodeKey, encodeQuery, printableKey } from '../../workers/s3/encode.ts';
import { isProbeKey } from '../../workers/s3/probeplace.ts';
import { multipartEtag, splitParts } from '../../workers/copy/parts.ts';
import { parseSize } from '../../workers/copy/job.ts';

const credentials = fixedCredentials({ accessKeyId: 'A', secretAccessKey: 's' });

describe('keys and addresses', () => {
  test.each([
    ['a/b-c_d.e~f', 'a/b-c_d.e~f'],
    ["a b+c%20?#&='", 'a%20b%2Bc%2520%3F%23%26%3D%27'],
    ['x/../y//z/./', 'x/../y//z/./'],
    ["!()*'", '%21%28%29%2A%27'],
    ['é\u{1F600}\n', '%C3%A9%F0%9F%98%80%0A'],
  ])('%j becomes %s', (key, encoded) => {
    expect(encodeKey(key)).toBe(encoded);
  });

  test('what is not well-formed Unicode has no bytes to encode', () => {
    expect(() => encodeKey('a\ud800')).toThrow(URIError);
    expect(printableKey('a\ud800')).toBe('"a\ufffd"');
  });

  test('queries are ordered by their encoded form', () => {
    expect(
      encodeQuery([
        ['b', ''],
        ['a', '2'],
        ['a', '10'],
        ['A', '~*'],
      ]),
    ).toBe('A=~%2A&a=10&a=2&b=');
  });

  test('a copy source is encoded byte for byte', () => {
    expect(copySourceHeader({ bucket: 'b', key: 'x+y?/z', etag: '' })).toBe('b/x%2By%3F/z');
  });

  test.each([
    [{ endpoint: 'http://127.0.0.1:7070' }, 'http://127.0.0.1:7070', '/bucket/a%20b'],
    [
      { endpoint: 'https://s3.example.com/', addressing: 'Virtual' as const },
      'https://bucket.s3.example.com',
      '/a%20b',
    ],
    [{ region: 'eu-central-1' }, 'https://bucket.s3.eu-central-1.amazonaws.com', '/a%20b'],
    [{ addressing: 'Path' as const }, 'https://s3.us-east-1.amazonaws.com', '/bucket/a%20b'],
  ])('%j', (options, origin, path) => {
    const client = new S3Client({ ...options, credentials });
    expect(client.address('bucket', 'a b')).toMatchObject({ origin, path, host: new URL(origin).host });
  });

  test.each(['s3.example.com', 'https://h/path', 'https://user@h', 'ftp://h', 'https://h?x'])(
    'endpoint %s is refused',
    (endpoint) => {
      expect(() => new S3Client({ endpoint, credentials })).toThrow(/endpoint/);
    },
  );
});

describe('throw-away keys', () => {
  const owner = '0d4f7c1e-1111-4222-8333-444455556666-arrange';
  test.each([
    [`.ebbflow-probe-${owner}/x-K\u00e1`, true],
    [`a/b/.ebbflow-probe-${owner}/x-same`, true],
    [`a/.ebbflow-probe-notes/x`, false],
    [`a.ebbflow-probe-${owner}/x`, false],
    [`.ebbflow-probe-${owner}`, false],
  ])('%s: %s', (key, expected) => {
    expect(isProbeKey(key)).toBe(expected);
  });
});

test('importing the client neither loads the SDK nor keeps the process alive', () => {
  const client = new URL('../../workers/s3/', import.meta.url);
  const program = `
    import { registerHooks } from 'node:module';
    const seen = [];
    registerHooks({ resolve: (name, context, next) => { seen.push(name); return next(name, context); } });
    for (const file of ['client', 'ambient', 'mounted', 'objects', 'copies', 'multipart', 'presign', 'probe', 'tagging'])
      await import(new URL(file + '.ts', ${JSON.stringify(client.href)}));
    process.stdout.write(JSON.stringify(seen));`;
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: fileURLToPath(client),
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  const loaded: string[] = JSON.parse(ran.stdout);
  expect(loaded).toContain('node:net');
  expect(loaded.filter((name) => /aws|smithy|undici/.test(name))).toEqual([]);
});

describe('parts', () => {
  const MiB = 1024 ** 2;
  test.each([
    [11 * MiB, 5 * MiB, 3, 5 * MiB],
    [5 * MiB + 1, 5 * MiB, 2, 5 * MiB],
    [6 * 1024 * MiB, 5 * 1024 * MiB, 48, 128 * MiB],
    [5 * 1024 ** 2 * MiB, 5 * 1024 * MiB, 9_987, 525 * MiB],
  ])('of %i bytes above %i', (size, threshold, count, first) => {
    const parts = splitParts(size, threshold, 'ServerSide');
    expect([parts.length, parts[0]?.last]).toEqual([count, first - 1]);
    expect(parts.at(-1)?.last).toBe(size - 1);
    expect(parts.every((part, n) => part.first === (n === 0 ? 0 : (parts[n - 1]?.last ?? 0) + 1))).toBe(true);
  });

  test('an ETag of parts is the MD5 of their MD5 sums', () => {
    const parts = [
      { number: 2, etag: 'd41d8cd98f00b204e9800998ecf8427e' },
      { number: 1, etag: '900150983cd24fb0d6963f7d28e17f72' },
    ];
    expect(multipartEtag(parts)).toBe('fdf1fdf1567f6942ffe1743f1e72301e-2');
    expect(multipartEtag([{ number: 1, etag: 'kms' }])).toBeUndefined();
  });

  test.each([
    ['5Gi', 5 * 1024 ** 3],
    ['6Mi', 6 * 1024 ** 2],
    ['7Ki', 7168],
    ['123', 123],
    ['1.5Gi', undefined],
    ['5G', undefined],
    ['', undefined],
  ])('size %j is %s bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
});
