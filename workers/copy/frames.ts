import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createZstdCompress, zstdCompress, zstdDecompress } from 'node:zlib';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** No plan shard or ledger segment is larger when unpacked: 100,000 rows of two longest keys, escaped. */
const maxUnpacked = 1536 * 1024 * 1024;

/** Blocks of lines, each with its end, as one zstd frame. Only the frame is ever held as a whole. */
export async function packBlocks(blocks: Iterable<Uint8Array>): Promise<Buffer> {
  const packed: Buffer[] = [];
  await pipeline(Readable.from(blocks), createZstdCompress(), async (frames: AsyncIterable<Buffer>) => {
    for await (const frame of frames) packed.push(frame);
  });
  return Buffer.concat(packed);
}

/** Lines, each with its end, as one zstd frame. */
export async function packLines(lines: readonly string[]): Promise<Buffer> {
  return compress(lines.length === 0 ? '' : `${lines.join('\n')}\n`);
}

/** The lines of a frame made by `packLines`. */
export async function unpackLines(frame: Uint8Array): Promise<string[]> {
  const text = (await decompress(frame, { maxOutputLength: maxUnpacked })).toString('utf8');
  if (text === '') return [];
  if (!text.endsWith('\n')) throw new Error('a frame of lines ends inside a line');
  return text.slice(0, -1).split('\n');
}
