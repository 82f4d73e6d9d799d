/**
 * The demo's input: the 1,797 handwritten digits that the PyPI package scikit-learn carries (UCI "Optical
 * Recognition of Handwritten Digits"), as image files.
 */
import { inflateRawSync, gunzipSync } from 'node:zlib';
import { encodeGreyPng } from './png.ts';

export const DIGITS_MEMBER = 'sklearn/datasets/data/digits.csv.gz';
export const DIGITS_COUNT = 1797;

/** Prefix of the seeded keys: what comes after it is what the rename rule of the example sees. */
export const SOURCE_PREFIX = '2026/';

const SIDE = 8;
const IMAGES_PER_DAY = 60;

export interface InputImage {
  /** `2026/<MM-DD>/IMG_<n>_<label>.png`. */
  readonly key: string;
  readonly body: Buffer;
}

/** Bytes of one member of a zip archive that is not zip64; throws when it is not in there. */
export function readZipMember(archive: Buffer, name: string): Buffer {
  // The end record is within the last 65,557 bytes and names the directory, which alone can be trusted for sizes.
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0) throw new Error('not a zip archive');
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => archive.readUInt16LE(at + offset));
    const found = archive.toString('utf8', at + 46, at + 46 + (nameLength ?? 0));
    if (found === name) {
      const method = archive.readUInt16LE(at + 10);
      const size = archive.readUInt32LE(at + 20);
      const local = archive.readUInt32LE(at + 42);
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const bytes = archive.subarray(start, start + size);
      if (method === 0) return bytes;
      if (method === 8) return inflateRawSync(bytes);
      throw new Error(`${name} is compressed by method ${method}, which is not supported`);
    }
    at += 46 + (nameLength ?? 0) + (extra ?? 0) + (comment ?? 0);
  }
  throw new Error(`the archive has no ${name}`);
}

/** Key of the n-th image (from 0): sixty a day from 1 January on, as a camera would count them. */
export function imageKey(index: number, label: number): string {
  const day = new Date(Date.UTC(2026, 0, 1 + Math.floor(index / IMAGES_PER_DAY)));
  return `${SOURCE_PREFIX}${day.toISOString().slice(5, 10)}/IMG_${String(index + 1).padStart(4, '0')}_${label}.png`;
}

/** The images in the gzipped table of scikit-learn: 64 values of 0-16 and a label per line. Throws on anything else. */
export function readDigits(gzipped: Buffer): InputImage[] {
  const lines = gunzipSync(gzipped).toString('latin1').trim().split('\n');
  return lines.map((line, index) => {
    const values = line.split(',').map(Number);
    const label = values.pop();
    const sound = values.length === SIDE * SIDE && values.every((v) => v >= 0 && v <= 16);
    if (!sound || label === undefined || !Number.isInteger(label) || label < 0 || label > 9)
      throw new Error(
        `line ${index + 1} of ${DIGITS_MEMBER} is not an image of ${SIDE} × ${SIDE} with its label`,
      );
    const grey = Uint8Array.from(values, (v) => Math.round((v * 255) / 16));
    return { key: imageKey(index, label), body: encodeGreyPng(SIDE, SIDE, grey) };
  });
}
