import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compressChunk, openChunk } from '../../operator/results/logs/chunk.ts';
import { mergeFrames } from '../../operator/results/api/merge.ts';
import { LineSplitter, type LinePiece } from '../../operator/results/logs/lines.ts';
import { DEFAULT_PATTERNS, MASK, Redactor } from '../../operator/results/logs/redact.ts';
import {
  canonicalTime,
  chunkSequence,
  decodeFrames,
  encodeFrame,
  LOG_CONTAINERS,
  type LogFrame,
  readSequence,
} from '../../workers/contract/logframes.ts';
import { timeOf } from '../support/results/fakepods.ts';

const lineBytes = fc
  .uint8Array({ maxLength: 300 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 10 ? 11 : byte))));
const frame = fc.record({
  time: fc.nat(100_000).map((n) => timeOf(n)),
  stream: fc.constantFrom<'stdout' | 'stderr'>('stdout', 'stderr'),
  partial: fc.boolean(),
  bytes: lineBytes,
});

test('frames of any bytes come out of a compressed chunk as they went in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 50 }), async (frames) => {
      const raw = Buffer.concat(frames.map(encodeFrame));
      const opened = await openChunk(await compressChunk(raw));
      expect([...decodeFrames(opened)]).toEqual(frames);
    }),
  );
});

test('a chunk with any byte changed is refused, or gives the same bytes', async () => {
  const raw = Buffer.concat(
    Array.from({ length: 40 }, (_, n) =>
      encodeFrame({ time: timeOf(n), stream: 'stdout', partial: false, bytes: Buffer.from(`step ${n}`) }),
    ),
  );
  const whole = await compressChunk(raw);
  let refused = 0;
  const wrong: number[] = [];
  for (let at = 0; at < whole.length; at += 1) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 0x20;
    const opened = await openChunk(damaged).catch(() => undefined);
    if (opened === undefined) refused += 1;
    else if (!opened.equals(raw)) wrong.push(at);
  }
  expect(wrong).toEqual([]);
  expect(refused).toBeGreaterThan(whole.length / 2);
  await expect(openChunk(whole.subarray(0, -1))).rejects.toThrow('decompress');
});

test('chunk numbers tell their container and never meet', () => {
  fc.assert(
    fc.property(fc.constantFrom(...LOG_CONTAINERS), fc.nat(1_000_000), (container, nth) => {
      expect(readSequence(chunkSequence(container, nth))).toEqual({ container, nth });
    }),
  );
});

test('times of any zone and precision become UTC with nine digits, in the same order', () => {
  expect(canonicalTime('2026-01-01T01:30:00.5+01:30')).toBe('2026-01-01T00:00:00.500000000Z');
  expect(canonicalTime('2026-01-01T00:00:00Z')).toBe('2026-01-01T00:00:00.000000000Z');
  for (const text of ['', 'failed to open log', '2026-01-01', '2026-01-01T00:00:00', '2026-13-01T00:00:00Z'])
    expect(canonicalTime(text)).toBeUndefined();
});

function splitAll(body: Buffer, cuts: readonly number[]): LinePiece[] {
  const splitter = new LineSplitter();
  const pieces: LinePiece[] = [];
  let from = 0;
  for (const cut of [...cuts, body.length].toSorted((a, b) => a - b)) {
    pieces.push(...splitter.push(body.subarray(from, cut)));
    from = cut;
  }
  const rest = splitter.end();
  return rest === undefined ? pieces : [...pieces, rest];
}

test('lines are the same wherever the stream was cut', () => {
  fc.assert(
    fc.property(
      fc.array(lineBytes, { maxLength: 20 }),
      fc.boolean(),
      fc.array(fc.nat(4000), { maxLength: 30 }),
      (lines, open, cuts) => {
        const body = Buffer.concat(
          lines.flatMap((bytes, n) => [Buffer.from(`${timeOf(n)} `), bytes, Buffer.from('\n')]),
        );
        const whole = open ? body.subarray(0, -1) : body;
        const inside = cuts.map((cut) => Math.min(cut, whole.length));
        const pieces = splitAll(whole, inside);
        expect(pieces).toEqual(splitAll(whole, []));
        expect(pieces.map(({ text }) => text)).toEqual(lines.map((bytes) => bytes.toString('latin1')));
        expect(pieces.map(({ time }) => time)).toEqual(lines.map((_, n) => timeOf(n)));
        expect(pieces.map(({ end }) => end)).toEqual(lines.map((_, n) => !(open && n === lines.length - 1)));
      },
    ),
  );
});

test('a line cut at every single byte gives the same pieces', () => {
  const body = Buffer.from(`${timeOf(0)} first\n${timeOf(1)} \n${timeOf(2)} \xff\x00 last`, 'latin1');
  const whole = splitAll(body, []);
  for (let cut = 0; cut <= body.length; cut += 1) expect(splitAll(body, [cut])).toEqual(whole);
});

test('a line of megabytes comes in pieces of one size, wherever the stream was cut', () => {
  const body = Buffer.concat([
    Buffer.from(`${timeOf(0)} `),
    Buffer.alloc(3_000_001, 120),
    Buffer.from(`\n${timeOf(1)} next\n`),
  ]);
  const whole = splitAll(body, []);
  expect(whole.length).toBeGreaterThan(10);
  expect(
    whole
      .slice(0, -1)
      .map(({ text }) => text)
      .join(''),
  ).toBe('x'.repeat(3_000_001));
  for (const cut of [1, 35, 36, 262_143, 262_144, 262_180, 2_999_999, body.length - 1])
    expect(splitAll(body, [cut])).toEqual(whole);
});

function redactPieces(text: string, cuts: readonly number[]): string {
  const redactor = new Redactor();
  let out = '';
  let from = 0;
  for (const cut of cuts.toSorted((a, b) => a - b)) {
    out += redactor.take(text.slice(from, cut), false);
    from = cut;
  }
  return out + redactor.take(text.slice(from), true);
}

const SECRETS = [
  'AKIAIOSFODNN7EXAMPLE',
  'Authorization: Bearer abcdefghijklmnop.qrstuv',
  'password=hunter22',
  '"aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"',
  'https://user:s3cr3tpass@host/path',
  'https://host/b/k?X-Amz-Credential=a&X-Amz-Signature=0123456789abcdef0123456789abcdef',
  'X-Amz-Security-Token=FwoGZXIvYXdzEBYaDH',
  '-----BEGIN RSA PRIVATE KEY-----MIIEpAIBAAKCAQEA-----END RSA PRIVATE KEY-----',
];
const HIDDEN =
  /IOSFODNN7|abcdefghijklmnop|hunter22|wJalrXUtnFEMI|s3cr3tpass|0123456789abcdef|FwoGZXIvYXdz|MIIEpAIB/;

test('each kind of secret is masked, cut at every byte', () => {
  for (const secret of SECRETS) {
    const line = `before ${secret} after`;
    const expected = redactPieces(line, []);
    expect(expected, secret).toContain(MASK);
    expect(expected, secret).not.toMatch(HIDDEN);
    expect(expected.startsWith('before ') && expected.endsWith(' after'), expected).toBe(true);
    for (let cut = 0; cut <= line.length; cut += 1) expect(redactPieces(line, [cut])).toBe(expected);
  }
});

test('a secret anywhere in a long line, cut anywhere, is masked, and everything else stays', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SECRETS),
      fc.nat(60_000),
      fc.nat(60_000),
      fc.array(fc.nat(120_000), { maxLength: 6 }),
      (secret, before, after, cuts) => {
        const line = `${'. '.repeat(before / 2)}${secret}${' .'.repeat(after / 2)}`;
        const out = redactPieces(
          line,
          cuts.filter((cut) => cut < line.length),
        );
        expect(HIDDEN.test(out)).toBe(false);
        expect(out.length).toBeGreaterThan(line.length - secret.length);
      },
    ),
    { numRuns: 60 },
  );
});

test('a secret longer than what is ever held is swallowed to its end', () => {
  const secret = 'A1b2'.repeat(100_000);
  const line = `token: Bearer ${secret} tail`;
  const cuts = Array.from({ length: 30 }, (_, n) => (n + 1) * 12_000);
  const out = redactPieces(line, cuts);
  expect(out.includes('A1b2A1b2')).toBe(false);
  expect(out.endsWith(' tail')).toBe(true);
});

test('a private key over many lines is masked to its end, and no further', () => {
  const redactor = new Redactor();
  const key = [
    '-----BEGIN PRIVATE KEY-----',
    'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC',
    'BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj',
    '-----END PRIVATE KEY-----',
  ];
  const out = [...key, 'epoch 1'].map((line) => redactor.take(line, true));
  expect(out).toEqual([MASK, MASK, MASK, MASK, 'epoch 1']);
});

test('ordinary lines are stored as they are', () => {
  const redactor = new Redactor();
  for (const line of [
    'loss per token: 1.23',
    'tokens=512',
    'https://host/path',
    'GET /?key=1',
    'bearer',
    'private beach',
    '\xff\x00',
  ])
    expect(redactor.take(line, true)).toBe(line);
});

test('no pattern takes more than linear time', () => {
  for (const filler of ['password', 'a', ' ', '://a', 'eyJ', 'bearer ', '-----BEGIN ', 'secret_'])
    for (const pattern of DEFAULT_PATTERNS) {
      const text = filler.repeat(64_000 / filler.length);
      const global = new RegExp(pattern.source, `${pattern.flags}g`);
      /** CPU time of this thread in milliseconds, the best of five: the machine has other things to do. */
      const time = (size: number): number =>
        Math.min(
          ...Array.from({ length: 5 }, () => {
            const part = text.slice(0, size);
            const start = process.threadCpuUsage();
            part.replace(global, '');
            const { user, system } = process.threadCpuUsage(start);
            return (user + system) / 1000;
          }),
        );
      time(1000);
      const small = Math.max(time(8000), 0.2);
      // Eight times the text; quadratic patterns would take 64 times as long.
      expect(time(64_000) / small, `${pattern} on ${filler}`).toBeLessThan(40);
    }
});

async function* streamOf(frames: readonly LogFrame[]): AsyncGenerator<LogFrame, void, undefined> {
  for (const item of frames) {
    await Promise.resolve();
    yield item;
  }
}

test('merged streams keep their own order, whatever their clocks do, and lose nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(frame, { maxLength: 10 }), { maxLength: 6 }), async (streams) => {
      const merged: { source: number; frame: LogFrame }[] = [];
      const sources = streams.map((frames, source) => ({ source, frames: streamOf(frames) }));
      for await (const item of mergeFrames(sources)) merged.push(item);
      for (const [source, frames] of streams.entries())
        expect(merged.filter((item) => item.source === source).map((item) => item.frame)).toEqual(frames);
      const sorted = streams.map((frames) =>
        frames.toSorted((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time))),
      );
      const times: string[] = [];
      for await (const item of mergeFrames(
        sorted.map((frames, source) => ({ source, frames: streamOf(frames) })),
      ))
        times.push(item.frame.time);
      expect(times).toEqual(times.toSorted());
    }),
  );
});
