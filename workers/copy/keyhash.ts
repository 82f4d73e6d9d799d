import { randomBytes } from 'node:crypto';

// Odd, with bits all over.
const [k1, k2, k3, k4] = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f];

/**
 * 128-bit hashes of keys, in four words. They only bring together what may be equal, so they need to be fast and not
 * secret; the seed keeps anybody from choosing keys that meet.
 */
export class KeyHash {
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  readonly #seed: Int32Array;

  constructor(seed: Uint8Array = randomBytes(16)) {
    this.#seed = new Int32Array(Uint8Array.from(seed).buffer);
  }

  /** Sets the four words to the hash of a text. */
  take(text: string): void {
    const seed = this.#seed;
    const { length } = text;
    let a = (seed[0] ?? 0) ^ length;
    let b = seed[1] ?? 0;
    let c = seed[2] ?? 0;
    let d = seed[3] ?? 0;
    for (let at = 0; at < length; at += 2) {
      const word = text.charCodeAt(at) | ((at + 1 < length ? text.charCodeAt(at + 1) : 0) << 16);
      a = Math.imul(a ^ word, k1);
      a ^= a >>> 15;
      b = Math.imul(b ^ word, k2);
      b ^= b >>> 13;
      c = Math.imul(c + word, k3);
      c ^= c >>> 16;
      d = Math.imul(d + word, k4);
      d ^= d >>> 14;
    }
    this.a = mix(a ^ Math.imul(b, k3));
    this.b = mix(b + c);
    this.c = mix(c ^ Math.imul(d, k1));
    this.d = mix(d + a);
  }
}

/** Lets every bit of a word change every other. */
function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), k2);
  mixed = Math.imul(mixed ^ (mixed >>> 13), k3);
  return mixed ^ (mixed >>> 16);
}
