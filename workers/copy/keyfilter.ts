import type { KeyHash } from './keyhash.ts';

/** 32 MiB at most: a hundred million keys have almost three bits each, which still keeps most strangers out. */
const mostBits = 2 ** 28;

/** Says of hashes that they may be among those added, or that they surely are not (a Bloom filter). */
export class KeyFilter {
  readonly #bits: Uint8Array;
  readonly #mask: number;

  /** `expected`: how many hashes will be added. */
  constructor(expected: number) {
    const bits = Math.min(mostBits, 2 ** Math.ceil(Math.log2(Math.max(64, expected * 12))));
    this.#bits = new Uint8Array(bits / 8);
    this.#mask = bits - 1;
  }

  add(b: number, c: number, d: number): void {
    this.#set(b);
    this.#set(c);
    this.#set(d);
  }

  /** False only for a hash that was not added. */
  mayHave({ b, c, d }: KeyHash): boolean {
    return this.#get(b) && this.#get(c) && this.#get(d);
  }

  #set(word: number): void {
    const bit = (word & this.#mask) >>> 0;
    this.#bits[bit >>> 3] = (this.#bits[bit >>> 3] ?? 0) | (1 << (bit & 7));
  }

  #get(word: number): boolean {
    const bit = (word & this.#mask) >>> 0;
    return ((this.#bits[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }
}
