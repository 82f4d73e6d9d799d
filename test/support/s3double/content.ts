import { createHash } from 'node:crypto';

/** The bytes of an object, in memory or made when they are read. */
export interface Content {
  readonly size: number;
  /** Bytes `first` to `last`, both included, in chunks. */
  read(first: number, last: number): Iterable<Buffer>;
  /** Equal for contents that are the same bytes of the same origin, however they were put together. */
  describe(): string;
}

/** Real MD5 sums are made up to here; larger generated contents get a sum of their description. */
const hashedLimit = 16 * 1024 ** 2;

export function md5(data: string | Uint8Array): string {
  return createHash('md5').update(data).digest('hex');
}

/** The ETag of a content that was written in one piece. */
export function digestOf(content: Content): string {
  if (content.size > hashedLimit && !(content instanceof Bytes)) return md5(content.describe());
  const hash = createHash('md5');
  if (content.size > 0) for (const chunk of content.read(0, content.size - 1)) hash.update(chunk);
  return hash.digest('hex');
}

export class Bytes implements Content {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  *read(first: number, last: number): Generator<Buffer> {
    yield this.#bytes.subarray(first, last + 1);
  }

  describe(): string {
    return this.size === 0 ? 'nothing' : `bytes ${md5(this.#bytes)}`;
  }
}

const pageSize = 4096;
const chunkSize = 64 * pageSize;

/**
 * A range of an endless sequence of bytes that a seed makes. Every 4 KiB page starts with the seed and its own
 * number, so that no page can stand in for another.
 */
export class Generated implements Content {
  readonly seed: number;
  readonly first: number;
  readonly size: number;

  constructor(seed: number, size: number, first = 0) {
    this.seed = seed;
    this.size = size;
    this.first = first;
  }

  *read(first: number, last: number): Generator<Buffer> {
    let at = this.first + first;
    const end = this.first + last + 1;
    while (at < end) {
      const chunk = Math.floor(at / chunkSize);
      const bytes = makeChunk(this.seed, chunk);
      const stop = Math.min(end, (chunk + 1) * chunkSize);
      yield bytes.subarray(at - chunk * chunkSize, stop - chunk * chunkSize);
      at = stop;
    }
  }

  describe(): string {
    return this.size === 0 ? 'nothing' : `generated ${this.seed} from ${this.first} for ${this.size}`;
  }
}

const templates = new Map<number, Buffer>();

function makeChunk(seed: number, chunk: number): Buffer {
  let template = templates.get(seed);
  if (template === undefined) {
    const hash = createHash('shake256', { outputLength: chunkSize });
    template = hash.update(`ebbflow ${seed}`).digest();
    templates.set(seed, template);
  }
  const bytes = Buffer.from(template);
  for (let page = 0; page < chunkSize / pageSize; page += 1) {
    bytes.writeUInt32LE(seed, page * pageSize);
    bytes.writeUIntLE(chunk * (chunkSize / pageSize) + page, page * pageSize + 4, 6);
  }
  return bytes;
}

/** Bytes as they came in; a long piece of a generated content is recognised, byte for byte, and not kept. */
export function receiveContent(bytes: Buffer): Content {
  if (bytes.length < chunkSize) return new Bytes(bytes);
  const seed = bytes.readUInt32LE(0);
  if (!templates.has(seed)) return new Bytes(bytes);
  const candidate = new Generated(seed, bytes.length, bytes.readUIntLE(4, 6) * pageSize);
  let at = 0;
  for (const chunk of candidate.read(0, bytes.length - 1)) {
    if (!chunk.equals(bytes.subarray(at, at + chunk.length))) return new Bytes(bytes);
    at += chunk.length;
  }
  return candidate;
}

/** A range of a content, as content. */
export function sliceContent(content: Content, first: number, last: number): Content {
  if (content instanceof Generated)
    return new Generated(content.seed, last - first + 1, content.first + first);
  return new Bytes(Buffer.concat([...content.read(first, last)]));
}

class Joined implements Content {
  readonly size: number;
  readonly #parts: readonly Content[];

  constructor(parts: readonly Content[]) {
    this.#parts = parts;
    this.size = parts.reduce((sum, part) => sum + part.size, 0);
  }

  *read(first: number, last: number): Generator<Buffer> {
    let start = 0;
    for (const part of this.#parts) {
      const from = Math.max(first - start, 0);
      const to = Math.min(last - start, part.size - 1);
      if (from <= to) yield* part.read(from, to);
      start += part.size;
    }
  }

  describe(): string {
    return this.#parts.map((part) => part.describe()).join(', ');
  }
}

/** Contents one after the other; neighbouring ranges of one generated content become one again. */
export function joinContents(parts: readonly Content[]): Content {
  const joined: Content[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    const adjacent =
      last instanceof Generated &&
      part instanceof Generated &&
      last.seed === part.seed &&
      last.first + last.size === part.first;
    if (adjacent) joined[joined.length - 1] = new Generated(last.seed, last.size + part.size, last.first);
    else joined.push(part);
  }
  const [only] = joined;
  return joined.length === 1 && only !== undefined ? only : new Joined(joined);
}
