import { crc32, deflateRawSync, gzipSync, inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { expectedKey } from '../demo/facts.ts';
import { DIGITS_MEMBER, imageKey, readDigits, readZipMember } from '../demo/digits.ts';
import { encodeGreyPng } from '../demo/png.ts';

/** Chunks of a PNG file, by reading it as the specification says. */
function readChunks(png: Buffer): { type: string; data: Buffer; crc: number; summed: number }[] {
  const chunks = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const summed = crc32(png.subarray(at + 4, at + 8 + length));
    const type = png.toString('latin1', at + 4, at + 8);
    chunks.push({
      type,
      data: png.subarray(at + 8, at + 8 + length),
      crc: png.readUInt32BE(at + 8 + length),
      summed,
    });
    at += 12 + length;
  }
  return chunks;
}

/** A zip archive of one member; `method` 8 is deflate, 0 is none. */
function zip(name: string, content: Buffer, method: number): Buffer {
  const data = method === 8 ? deflateRawSync(content) : content;
  const nameBytes = Buffer.from(name);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(nameBytes.length, 26);
  local.writeUInt16LE(4, 28); // an extra field that only the local header has
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(method, 10);
  central.writeUInt32LE(data.length, 20);
  central.writeUInt32LE(content.length, 24);
  central.writeUInt16LE(nameBytes.length, 28);
  const body = Buffer.concat([local, nameBytes, Buffer.alloc(4), data]);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(body.length, 16);
  return Buffer.concat([body, central, nameBytes, end]);
}

describe('PNG files', () => {
  test('hold header, rows and end, with right checksums', () => {
    const pixels = Uint8Array.from([0, 128, 255, 1, 2, 3]);
    const png = encodeGreyPng(3, 2, pixels);
    const chunks = readChunks(png);
    expect(png.subarray(0, 8).toString('latin1')).toBe('\u0089PNG\r\n\u001a\n');
    expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'IDAT', 'IEND']);
    expect(chunks.every(({ crc, summed }) => crc === summed)).toBe(true);
    expect([...(chunks[0]?.data ?? [])]).toEqual([0, 0, 0, 3, 0, 0, 0, 2, 8, 0, 0, 0, 0]);
    expect([...inflateSync(chunks[1]?.data ?? Buffer.alloc(0))]).toEqual([0, 0, 128, 255, 0, 1, 2, 3]);
  });

  test('need as many pixels as they have room for', () => {
    expect(() => encodeGreyPng(3, 2, new Uint8Array(5))).toThrow(RangeError);
  });
});

describe('members of an archive', () => {
  test.each([0, 8])('come out whole with method %i', (method) => {
    const content = Buffer.from('the same words again, the same words again');
    expect(readZipMember(zip('a/b.txt', content, method), 'a/b.txt')).toEqual(content);
  });

  test('that are not there, and what is no archive, are refused', () => {
    expect(() => readZipMember(zip('a', Buffer.from('x'), 0), 'b')).toThrow('has no b');
    expect(() => readZipMember(Buffer.from('nothing'), 'b')).toThrow('not a zip archive');
    expect(() => readZipMember(zip('a', Buffer.from('x'), 12), 'a')).toThrow('method 12');
  });
});

describe('digit images', () => {
  const row = (label: number | string): string =>
    `${Array.from({ length: 64 }, (_, i) => i % 17).join(',')},${label}`;

  test('have a name with day, number and label, and 8 × 8 pixels scaled to 0-255', () => {
    const images = readDigits(gzipSync(`${row(7)}\n${row(0)}\n`));
    expect(images.map(({ key }) => key)).toEqual(['2026/01-01/IMG_0001_7.png', '2026/01-01/IMG_0002_0.png']);
    const [header, data] = readChunks(images[0]?.body ?? Buffer.alloc(0));
    expect(header?.data.readUInt32BE(0)).toBe(8);
    const first = inflateSync(data?.data ?? Buffer.alloc(0)).subarray(1, 9);
    expect([...first]).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((value) => Math.round((value * 255) / 16)));
  });

  test.each([
    ['a label that is no digit', row(10)],
    ['too few values', '1,2,3'],
    ['a value out of range', row(3).replace(/^0,/, '17,')],
    ['words', row('x')],
  ])('are refused with %s', (_, text) => {
    expect(() => readDigits(gzipSync(text))).toThrow(`line 1 of ${DIGITS_MEMBER}`);
  });

  test('are spread over days', () => {
    expect(imageKey(59, 1)).toBe('2026/01-01/IMG_0060_1.png');
    expect(imageKey(60, 1)).toBe('2026/01-02/IMG_0061_1.png');
    expect(imageKey(1796, 8)).toBe('2026/01-30/IMG_1797_8.png');
  });

  test('are expected under the name that the example gives them', () => {
    expect(expectedKey('2026/01-17/IMG_0962_4.png')).toBe('digits/label=4/01-17-0962.png');
  });
});
