import { randomUUID } from 'node:crypto';
import { canonicalKey } from './aliases.ts';
import { Bucket, type StoredObject, type StoredUpload } from './bucket.ts';
import { toByteString, type ByteString } from './bytestring.ts';
import { digestOf, Generated, md5, type Content } from './content.ts';
import { Refusal } from './refusal.ts';
import { KeySeries } from './series.ts';
import type { Condition, ResolvedSetup } from './setup.ts';

/** All buckets, and what this store does differently from Amazon's. */
export class Store {
  readonly #buckets = new Map<string, Bucket>();
  readonly #ignored: ReadonlySet<Condition>;
  readonly #refused: ReadonlySet<Condition>;
  readonly #aliases: ResolvedSetup['aliases'];

  constructor(setup: ResolvedSetup) {
    this.#ignored = new Set(setup.ignored);
    this.#refused = new Set(setup.refused);
    this.#aliases = setup.aliases;
    for (const name of setup.buckets) this.provide(name);
    for (const series of setup.series) this.provide(series.bucket).series.push(new KeySeries(series));
    for (const { bucket, key, size, seed, headers } of setup.generated) {
      const content = new Generated(seed, size);
      // What one request cannot write has the ETag of an upload in parts.
      const etag = size > 5 * 1024 ** 3 ? `${md5(content.describe())}-1024` : digestOf(content);
      this.write(this.provide(bucket), { key: toByteString(key), content, etag, headers, tagging: '' });
    }
  }

  /** The bucket of that name, made when it does not exist. */
  provide(name: string): Bucket {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = new Bucket();
      this.#buckets.set(name, bucket);
    }
    return bucket;
  }

  /** Gives a bucket another name as well. */
  alias(name: string, bucket: string): void {
    this.#buckets.set(name, this.bucket(bucket));
  }

  bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Refusal(404, 'NoSuchBucket');
    return bucket;
  }

  /** @throws Refusal where it says that it does not know the condition. */
  honours(condition: Condition): boolean {
    if (this.#refused.has(condition)) throw new Refusal(501, 'NotImplemented');
    return !this.#ignored.has(condition);
  }

  find(bucket: Bucket, key: ByteString): StoredObject | undefined {
    return bucket.get(canonicalKey(key, this.#aliases));
  }

  /** @throws Refusal when it does not exist. */
  read(bucket: Bucket, key: ByteString): StoredObject {
    const object = this.find(bucket, key);
    if (object === undefined) throw new Refusal(404, 'NoSuchKey');
    return object;
  }

  write(
    bucket: Bucket,
    object: Omit<StoredObject, 'modified' | 'etag'> & { readonly etag?: string },
  ): StoredObject {
    const key = canonicalKey(object.key, this.#aliases);
    if (Buffer.byteLength(key, 'latin1') > 1024) throw new Refusal(400, 'KeyTooLongError');
    if (this.#aliases.startsWith('Posix')) refuseInsideObject(bucket, key);
    refuseGenerated(bucket, key);
    const etag = object.etag ?? digestOf(object.content);
    const stored = { ...object, key, etag, modified: new Date().toISOString() };
    bucket.put(stored);
    return stored;
  }

  delete(bucket: Bucket, key: ByteString): void {
    const canonical = canonicalKey(key, this.#aliases);
    refuseGenerated(bucket, canonical);
    bucket.delete(canonical);
  }

  startUpload(bucket: Bucket, upload: Pick<StoredUpload, 'key' | 'headers' | 'tagging'>): StoredUpload {
    const uploadId = randomUUID();
    const started = { ...upload, uploadId, initiated: new Date().toISOString(), parts: new Map() };
    bucket.uploads.set(uploadId, started);
    return started;
  }

  /** Gives an object other content of the same size, as somebody else might. */
  change(bucket: Bucket, key: ByteString): void {
    const object = this.find(bucket, key);
    if (object === undefined) return;
    const content: Content = new Generated(0xffffffff, object.content.size);
    this.write(bucket, { ...object, content, etag: digestOf(content) });
  }
}

function refuseGenerated(bucket: Bucket, key: ByteString): void {
  if (bucket.series.some((series) => key.startsWith(series.prefix)))
    throw new Refusal(501, 'NotImplemented', 'generated keys cannot be changed');
}

/** Where keys are paths, nothing can be written below an object, nor over what other keys go through. */
function refuseInsideObject(bucket: Bucket, key: ByteString): void {
  for (let slash = key.indexOf('/'); slash > 0; slash = key.indexOf('/', slash + 1)) {
    if (bucket.get(key.slice(0, slash)) !== undefined) throw new Refusal(409, 'ObjectParentIsFile');
  }
  if ((bucket.keys[bucket.firstFrom(`${key}/`)] ?? '').startsWith(`${key}/`))
    throw new Refusal(409, 'ExistingObjectIsDirectory');
}
