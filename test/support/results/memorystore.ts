/** A results bucket in memory, with faults on demand. */
import { ResultsError } from '../../../operator/results/errors.ts';
import type { ResultsStore, SignedGrant, StoreCall } from '../../../operator/results/types.ts';

export class MemoryStore implements ResultsStore {
  readonly objects: Map<string, Buffer>;
  puts = 0;
  /** Called before and after the effect of each put; what it throws is thrown at the caller. */
  onPut: ((key: string, when: 'before' | 'after', nth: number) => void) | undefined;
  /** While set, every call is refused. */
  refusing = false;

  constructor(objects = new Map<string, Buffer>()) {
    this.objects = objects;
  }

  async put(
    key: string,
    bytes: Uint8Array,
    options: StoreCall & { ifNoneMatch?: boolean },
  ): Promise<'written' | 'exists'> {
    await this.#turn(options.signal);
    const nth = this.puts;
    this.puts += 1;
    this.onPut?.(key, 'before', nth);
    const exists = options.ifNoneMatch === true && this.objects.has(key);
    if (!exists) this.objects.set(key, Buffer.from(bytes));
    this.onPut?.(key, 'after', nth);
    return exists ? 'exists' : 'written';
  }

  async get(key: string, { signal, limit }: StoreCall & { limit?: number }): Promise<Buffer | undefined> {
    await this.#turn(signal);
    return this.objects.get(key)?.subarray(0, limit);
  }

  async *list(
    prefix: string,
    options: StoreCall & { startAfter?: string },
  ): AsyncGenerator<{ key: string; size: number }, void, undefined> {
    await this.#turn(options.signal);
    for (const key of [...this.objects.keys()].toSorted())
      if (key.startsWith(prefix) && key > (options.startAfter ?? ''))
        yield { key, size: this.objects.get(key)?.length ?? 0 };
  }

  async presignPut(key: string): Promise<SignedGrant> {
    return {
      url: `https://store.test/${key}?put`,
      headers: { 'if-none-match': '*' },
      expiresAt: new Date(4e12),
    };
  }

  async presignGet(key: string): Promise<SignedGrant> {
    return { url: `https://store.test/${key}?get`, headers: {}, expiresAt: new Date(4e12) };
  }

  json(key: string): unknown {
    const bytes = this.objects.get(key);
    if (bytes === undefined) throw new Error(`no object ${key}`);
    return JSON.parse(bytes.toString('utf8'));
  }

  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    signal.throwIfAborted();
    if (this.refusing) throw new ResultsError('the store refuses', { code: 'SlowDown', transient: true });
  }
}
