/** One chunk: frames of one container, compressed as exactly one zstd frame, so that each can be decoded alone. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { decodeFrames, type LogFrame } from '../../../workers/contract/logframes.ts';
import type { ChunkEntry } from '../../../workers/contract/manifests.ts';

/** Most raw bytes of a chunk that a reader takes; see cut.ts for those that we write. */
const MAX_CHUNK_BYTES = 16 * 1024 * 1024;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** What is stored is not what its index says. */
export class ChunkError extends Error {
  override readonly name = 'ChunkError';
  readonly code = 'BadChunk';
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Level 1 is both faster and denser on logs than the default; the checksum lets any zstd tell a damaged object. */
export function compressChunk(raw: Uint8Array): Promise<Buffer> {
  return compress(raw, {
    params: {
      [constants.ZSTD_c_compressionLevel]: 1,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
}

/** The raw bytes. With an entry, length and digest are checked against it first. @throws ChunkError */
export async function openChunk(
  bytes: Uint8Array,
  entry?: Pick<ChunkEntry, 'sha256' | 'rawLen'>,
): Promise<Buffer> {
  if (entry !== undefined && sha256Of(bytes) !== entry.sha256)
    throw new ChunkError('the stored chunk differs from the one in the index');
  const limit = entry?.rawLen ?? MAX_CHUNK_BYTES;
  let raw: Buffer;
  try {
    raw = await decompress(bytes, { maxOutputLength: Math.max(limit, 1) });
  } catch (error) {
    throw new ChunkError('the stored chunk cannot be decompressed', { cause: error });
  }
  if (entry !== undefined && raw.length !== entry.rawLen)
    throw new ChunkError(`the stored chunk has ${raw.length} bytes where its index says ${entry.rawLen}`);
  return raw;
}

/** Facts about the raw bytes of a chunk. */
export interface ChunkFacts {
  /** Lines that end in this chunk. */
  lines: number;
  t0: string;
  t1: string;
}

/** @throws FrameError; ChunkError for a chunk without a line. */
export function inspectChunk(raw: Buffer): ChunkFacts & { frames: LogFrame[] } {
  const frames = [...decodeFrames(raw)];
  const first = frames[0];
  const last = frames.at(-1);
  if (first === undefined || last === undefined) throw new ChunkError('the chunk is empty');
  const lines = frames.reduce((sum, { partial }) => sum + (partial ? 0 : 1), 0);
  return { frames, lines, t0: first.time, t1: last.time };
}
