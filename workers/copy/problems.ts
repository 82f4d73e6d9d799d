import { printableKey } from '../s3/encode.ts';
import { S3Error } from '../s3/errors.ts';
import { CredentialsError } from '../s3/credentials.ts';

/** Reasons of a stage (operator/api/reasons.ts) that a copy worker gives itself. */
export type CopyReason =
  | 'PlanRefused'
  | 'CopyFailed'
  | 'StoreUnavailable'
  | 'CopiedWithFailures'
  | 'InvalidSpec';

/**
 * The copy cannot be done as written, or a store refuses what every copy needs; trying again would not help. Only before
 * the first copy does it mean that nothing was written.
 */
export class PlanRefused extends Error {
  override readonly name = 'PlanRefused';
  readonly code = 'PlanRefused';
  /** How many problems there are; the message names the first ten. */
  readonly problems: number;
  readonly reason: CopyReason;
  /** The first ten problems, one sentence each. */
  readonly first: readonly string[];

  constructor(
    message: string,
    problems = 1,
    reason: CopyReason = 'PlanRefused',
    first: readonly string[] = [message],
  ) {
    super(message);
    this.problems = problems;
    this.reason = reason;
    this.first = first;
  }
}

/** A store or the worker API could not be reached for long enough; trying again later may help. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  readonly code = 'Unavailable';
}

/** How many problems a message names. */
const named = 10;

/** Counts what comes in any order, and keeps the first ten by two numbers. */
export class FirstTen<T> {
  #total = 0;
  readonly #kept: { readonly major: number; readonly minor: number; readonly what: T }[] = [];

  /** The numbers must tell all apart, so that the same ten are kept whatever comes first. */
  add(major: number, minor: number, what: T): void {
    this.#total += 1;
    const at = this.#kept.findIndex(
      (kept) => kept.major > major || (kept.major === major && kept.minor > minor),
    );
    if (at < 0 && this.#kept.length === named) return;
    this.#kept.splice(at < 0 ? this.#kept.length : at, 0, { major, minor, what });
    if (this.#kept.length > named) this.#kept.pop();
  }

  get total(): number {
    return this.#total;
  }

  /** In order. */
  get first(): readonly T[] {
    return this.#kept.map(({ what }) => what);
  }
}

/** Collects the problems of a plan. All are counted, the first ten are kept in words. */
export class PlanProblems {
  #total = 0;
  readonly #first: string[] = [];

  add(problem: string): void {
    this.addAll(1, [problem]);
  }

  /** Takes many problems in, of which the first are in words. */
  addAll(total: number, first: readonly string[]): void {
    this.#total += total;
    this.#first.push(...first.slice(0, named - this.#first.length));
  }

  get total(): number {
    return this.#total;
  }

  /** The first ten in words. */
  get first(): readonly string[] {
    return this.#first;
  }

  /** @throws PlanRefused when there is any problem. */
  refuse(): void {
    if (this.#total === 0) return;
    const list = this.#first.join('; ');
    if (this.#total === 1) throw new PlanRefused(list);
    const more = this.#total > named ? `, of which the first ${named}` : '';
    throw new PlanRefused(`${this.#total} problems${more}: ${list}`, this.#total, 'PlanRefused', [
      ...this.#first,
    ]);
  }
}

/** A key for a message: escaped, and cut in the middle when it is long, so that both ends can be recognised. */
export function nameKey(key: string): string {
  const shown = printableKey(key);
  return shown.length <= 160 ? shown : `${shown.slice(0, 90)}…${shown.slice(-60)}`;
}

/** Which part of the spec an error belongs to. */
export interface StoreRole {
  /** `source` or `destination`. */
  readonly field: string;
  readonly store: string;
  readonly endpoint: string;
  readonly bucket: string;
}

/**
 * Says in one sentence what a store's refusal means and what to do about it, as the error that ends the stage:
 * `PlanRefused` where somebody must change something, `Unavailable` where time may help. Others pass as they are.
 */
export function explainStoreError(error: unknown, role: StoreRole): unknown {
  const where = `store ${role.store} (${role.endpoint})`;
  if (error instanceof CredentialsError) {
    const text = `store ${role.store}: ${error.message}`;
    return error.passing ? new Unavailable(text) : new PlanRefused(text, 1, 'StoreUnavailable');
  }
  if (!(error instanceof S3Error)) return error;
  const refuse = (text: string): PlanRefused => new PlanRefused(text, 1, 'StoreUnavailable');
  switch (error.code) {
    case 'NoSuchBucket':
      return new PlanRefused(
        `bucket ${role.bucket} does not exist in ${where}: create it or correct copy.${role.field}.bucket`,
      );
    case 'InvalidAccessKeyId':
    case 'XAdminUserNotFound': // versitygw's word for it
      return refuse(
        `${where} does not know the access key: correct AWS_ACCESS_KEY_ID in the store's Secret (${error.operation})`,
      );
    case 'SignatureDoesNotMatch':
      return refuse(
        `${where} refused the signature: correct AWS_SECRET_ACCESS_KEY in the store's Secret, or the store's region`,
      );
    case 'AuthorizationHeaderMalformed':
    case 'Redirect':
      return refuse(
        `${where} owns bucket ${role.bucket} elsewhere: set the store's endpoint and region to its own`,
      );
    case 'AccessDenied':
      return refuse(
        `${where} denied ${error.operation} on bucket ${role.bucket}: give the credentials this right, or correct them`,
      );
    case 'PrefixIgnored':
      return refuse(
        `${where} lists keys that were not asked for, so a copy could read, write and delete outside its prefix: ${error.message}`,
      );
    case 'RequestTimeTooSkewed':
      return refuse(`${where} says that the clock of this node is wrong: set the node's time`);
    case 'ExpiredToken':
      return new Unavailable(`${where} says that the credentials have expired: renew the store's Secret`);
    case 'ConnectionFailed':
    case 'Timeout':
      return new Unavailable(`${where} cannot be reached: ${error.message}`);
    default:
      return error.retryClass === 'permanent' || error.retryClass === 'fatal'
        ? refuse(`${where}: ${error.message}`)
        : new Unavailable(`${where} goes on failing: ${error.message}`);
  }
}
