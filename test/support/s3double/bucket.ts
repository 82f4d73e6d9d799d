import type { ByteString } from './bytestring.ts';
import type { Content } from './content.ts';
import type { KeySeries } from './series.ts';

export interface StoredObject {
  readonly key: ByteString;
  readonly content: Content;
  /** Without quotes. */
  readonly etag: string;
  /** RFC 3339. */
  readonly modified: string;
  /** Content headers, metadata and storage class, as they are answered. */
  readonly headers: Readonly<Record<string, string>>;
  /** As in the header `x-amz-tagging`. */
  readonly tagging: string;
}

export interface StoredPart {
  readonly content: Content;
  readonly etag: string;
}

export interface StoredUpload {
  readonly key: ByteString;
  readonly uploadId: string;
  readonly initiated: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tagging: string;
  readonly parts: Map<number, StoredPart>;
}

/** The objects of one bucket in byte order of their keys, and its unfinished uploads. */
export class Bucket {
  readonly uploads = new Map<string, StoredUpload>();
  readonly series: KeySeries[] = [];
  readonly #objects = new Map<ByteString, StoredObject>();
  readonly #sorted: ByteString[] = [];

  get(key: ByteString): StoredObject | undefined {
    const kept = this.#objects.get(key);
    if (kept !== undefined) return kept;
    for (const series of this.series) if (key.startsWith(series.prefix)) return series.find(key);
    return undefined;
  }

  put(object: StoredObject): void {
    if (!this.#objects.has(object.key)) this.#insert(object.key);
    this.#objects.set(object.key, object);
  }

  delete(key: ByteString): void {
    if (this.#objects.delete(key)) this.#sorted.splice(this.firstFrom(key), 1);
  }

  /** Keys that are kept, in order. */
  get keys(): readonly ByteString[] {
    return this.#sorted;
  }

  /** The place of the first kept key that is not below `key`. */
  firstFrom(key: ByteString): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(key: ByteString): void {
    const last = this.#sorted.at(-1);
    if (last === undefined || last < key) this.#sorted.push(key);
    else this.#sorted.splice(this.firstFrom(key), 0, key);
  }
}
