import type { CopyStage } from '../../operator/api/copystage.ts';
import type { KeyEquivalence } from '../contract/copyplan.ts';
import { isUID } from '../contract/keys.ts';
import { parseRules, type Rules } from '../contract/rename.ts';
import type { PlanProblems } from './problems.ts';
import type { Verification } from './verify.ts';

/** A store, bucket and literal prefix. */
export interface Place {
  readonly store: string;
  readonly bucket: string;
  readonly prefix: string;
}

/** Where the keys of a source come from: what is under its prefix, a list, or what an earlier stage wrote. */
export type Origin =
  | { readonly kind: 'Listing' }
  | { readonly kind: 'KeyList'; readonly bucket: string; readonly key: string }
  | { readonly kind: 'Ledger'; readonly stage: string };

/** The copy member of a stage with its defaults filled in and its rules parsed. */
export interface CopyJob {
  readonly source: Place;
  readonly from: Origin;
  readonly destination: Place;
  /** Undefined: keys are kept. */
  readonly rules: Rules | undefined;
  readonly mode: 'Copy' | 'Move';
  readonly onUnmatched: 'Fail' | 'Skip' | 'Copy';
  readonly onExisting: 'SkipIdentical' | 'Fail' | 'Overwrite';
  readonly onEmpty: 'Fail' | 'Succeed';
  readonly keyEquivalence: 'Auto' | KeyEquivalence;
  readonly transfer: 'ServerSide' | 'Stream';
  /** Bytes; larger objects go in parts. */
  readonly multipartThreshold: number;
  readonly verification: Verification;
  readonly maxFailures: number;
  readonly dryRun: boolean;
  /** Objects under way at a time; each in parts has several requests. */
  readonly concurrency: number;
}

/** Whether source and destination keys are keys of one bucket, by its name. */
export function isInOneBucket({ source, destination }: Pick<CopyJob, 'source' | 'destination'>): boolean {
  return source.store === destination.store && source.bucket === destination.bucket;
}

/** CopyObject's own limit, in bytes. */
export const COPY_OBJECT_LIMIT = 5 * 1024 ** 3;

const units: Readonly<Record<string, number>> = { Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };

/** Bytes of `512Mi` or `1048576`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,15})(Ki|Mi|Gi)?$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * (unit === undefined ? 1 : (units[unit] ?? 1));
}

/** Fills in defaults. What cannot be done (yet) is a problem of the plan; then the job is not to be used. */
export function resolveJob(copy: CopyStage, problems: PlanProblems): CopyJob {
  const parsed = parseRules(copy.rename ?? []);
  if (!parsed.ok) for (const problem of parsed.problems) problems.add(problem.message);
  const source = place(copy.source);
  const destination = place(copy.destination);
  const oneStore = source.store === destination.store;
  if (copy.transfer === 'ServerSide' && !oneStore) {
    problems.add(
      `copy.transfer: ServerSide needs one store, but objects go from ${source.store} to ${destination.store}; use Auto`,
    );
  }
  return {
    source,
    from: resolveOrigin(copy.source, problems),
    destination,
    rules: parsed.ok && parsed.rules.rules.length > 0 ? parsed.rules : undefined,
    mode: copy.mode ?? 'Copy',
    onUnmatched: copy.onUnmatched ?? 'Fail',
    onExisting: copy.onExisting ?? 'SkipIdentical',
    onEmpty: copy.onEmpty ?? 'Fail',
    keyEquivalence: copy.keyEquivalence ?? 'Auto',
    transfer: oneStore && copy.transfer !== 'Stream' ? 'ServerSide' : 'Stream',
    multipartThreshold: resolveThreshold(copy.multipartThreshold, problems),
    verification:
      copy.verify === 'Sample'
        ? { kind: 'Sample', percent: copy.samplePercent ?? 1 }
        : { kind: copy.verify ?? 'ETag' },
    maxFailures: copy.maxFailures ?? 0,
    dryRun: copy.dryRun ?? false,
    concurrency: 64,
  };
}

function resolveOrigin({ keyList, ledgerOf }: CopyStage['source'], problems: PlanProblems): Origin {
  if (keyList !== undefined) return { kind: 'KeyList', ...keyList };
  if (ledgerOf === undefined) return { kind: 'Listing' };
  if (isUID(ledgerOf)) {
    problems.add(
      `copy.source.ledgerOf: a pod may read the ledgers of its own run alone, not of run ${ledgerOf}; make that copy a ` +
        'stage of this run and name it, or store the keys as a list and name that in copy.source.keyList',
    );
  }
  return { kind: 'Ledger', stage: ledgerOf };
}

/** S3 takes no parts below 5 MiB (except the last), so a lower threshold could never be kept. */
const smallestThreshold = 5 * 1024 ** 2;

function resolveThreshold(text: string | undefined, problems: PlanProblems): number {
  const bytes = text === undefined ? COPY_OBJECT_LIMIT : parseSize(text);
  if (bytes === undefined || bytes < smallestThreshold || bytes > COPY_OBJECT_LIMIT) {
    problems.add(`copy.multipartThreshold: ${text} is not a size from 5Mi to 5Gi`);
    return COPY_OBJECT_LIMIT;
  }
  return bytes;
}

function place(location: { store?: string | undefined; bucket: string; prefix?: string | undefined }): Place {
  return { store: location.store ?? '', bucket: location.bucket, prefix: location.prefix ?? '' };
}
