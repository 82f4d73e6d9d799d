/** The little of RFC 1035 that a name server for A records needs. */

export interface Question {
  /** Lower case, without the dot at the end. */
  readonly name: string;
  /** 1 is A, 28 is AAAA. */
  readonly type: number;
}

export const typeA = 1;

export const codes = { found: 0, failed: 2, noSuchName: 3 } as const;

const headerLength = 12;

function questionLength(query: Buffer): number {
  let at = headerLength;
  for (let size = query.readUInt8(at); size !== 0; size = query.readUInt8(at)) at += size + 1;
  return at + 5 - headerLength;
}

/** Reads the first question; undefined when this is no query that can be answered. */
export function readQuestion(query: Buffer): Question | undefined {
  try {
    const isResponse = (query.readUInt16BE(2) & 0x8000) !== 0;
    if (isResponse || query.readUInt16BE(4) !== 1) return undefined;
    const labels: string[] = [];
    let at = headerLength;
    for (let size = query.readUInt8(at); size !== 0; size = query.readUInt8(at)) {
      if (size > 63) return undefined; // a pointer has no place in a question
      labels.push(query.toString('latin1', at + 1, at + 1 + size).toLowerCase());
      at += size + 1;
    }
    return { name: labels.join('.'), type: query.readUInt16BE(at + 1) };
  } catch {
    return undefined; // shorter than it claims to be
  }
}

/** Answers a query with IPv4 addresses, which live for 5 s, or with a code alone. */
export function writeAnswer(query: Buffer, code: number, addresses: readonly string[] = []): Buffer {
  const question = query.subarray(headerLength, headerLength + questionLength(query));
  const header = Buffer.alloc(headerLength);
  query.copy(header, 0, 0, 2);
  const recursionDesired = query.readUInt16BE(2) & 0x0100;
  header.writeUInt16BE(0x8480 | recursionDesired | code, 2); // response, authoritative, recursion available
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(addresses.length, 6);
  const records = addresses.map((address) => {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(0xc000 | headerLength, 0); // the name of the question
    record.writeUInt16BE(typeA, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(5, 6);
    record.writeUInt16BE(4, 10);
    for (const [index, part] of address.split('.').entries()) record.writeUInt8(Number(part), 12 + index);
    return record;
  });
  return Buffer.concat([header, question, ...records]);
}
