import { encodeForListing, toByteString, type ByteString } from './bytestring.ts';
import { Generated } from './content.ts';
import type { Series } from './setup.ts';
import type { StoredObject } from './bucket.ts';

const modified = '2026-01-02T03:04:05.000Z';
/** The last digits of an ETag are the number of its key. */
const etagStart = 'e77f0c0ffee5eed0e77f0c0ffee5eed0';

/** Keys that exist by a rule: counted, listed and read without being kept. */
export class KeySeries {
  readonly prefix: ByteString;
  readonly count: number;
  readonly #digits: number;
  readonly #size: number;
  readonly #templates = new Map<number, Buffer>();

  constructor(series: Series) {
    this.prefix = toByteString(series.prefix);
    this.count = series.count;
    this.#digits = series.digits;
    this.#size = series.size;
    if (encodeForListing(this.prefix) !== this.prefix)
      throw new Error('the prefix of a series is plain text');
    if (series.count > 10 ** series.digits) throw new Error('more keys than the digits can count');
  }

  keyAt(number: number): ByteString {
    return this.prefix + String(number).padStart(this.#digits, '0');
  }

  /** The number of the first key that is not below `key`. */
  firstFrom(key: ByteString): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.keyAt(middle) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  find(key: ByteString): StoredObject | undefined {
    const number = this.firstFrom(key);
    return number < this.count && this.keyAt(number) === key ? this.objectAt(number) : undefined;
  }

  objectAt(number: number): StoredObject {
    return {
      key: this.keyAt(number),
      content: new Generated(number + 1, this.#size),
      etag: this.#etagAt(number),
      modified,
      headers: {},
      tagging: '',
    };
  }

  /** The `<Contents>` of `length` keys from `first` on, from a template in which only digits are written anew. */
  writePage(first: number, length: number): Buffer {
    const page = Buffer.from(this.#template(length));
    const stride = page.length / length;
    const keyEnd = 15 + this.prefix.length + this.#digits;
    const etagEnd = page.indexOf('</ETag>') - 6;
    for (let n = 0; n < length; n += 1) {
      writeDigits(page, n * stride + keyEnd, this.#digits, first + n);
      writeDigits(page, n * stride + etagEnd, this.#digits, first + n);
    }
    return page;
  }

  #template(length: number): Buffer {
    let template = this.#templates.get(length);
    if (template === undefined) {
      const etag = this.#etagAt(0);
      const one =
        `<Contents><Key>${this.keyAt(0)}</Key><LastModified>${modified}</LastModified>` +
        `<ETag>&quot;${etag}&quot;</ETag><Size>${this.#size}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
      template = Buffer.from(one.repeat(length), 'latin1');
      if (this.#templates.size > 8) this.#templates.clear();
      this.#templates.set(length, template);
    }
    return template;
  }

  #etagAt(number: number): string {
    return etagStart.slice(0, 32 - this.#digits) + String(number).padStart(this.#digits, '0');
  }
}

function writeDigits(page: Buffer, end: number, digits: number, number: number): void {
  let rest = number;
  for (let at = end - 1; at >= end - digits; at -= 1) {
    page[at] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}
