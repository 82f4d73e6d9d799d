/** The command line of `ebbflow copy`, taken apart. Pure. */
import { resolve } from 'node:path';
import type { KeyEquivalence } from '../../workers/contract/copyplan.ts';
import { isUID } from '../../workers/contract/keys.ts';
import type { Connection } from '../arguments.ts';
import { flagReader } from '../flags.ts';
import { type CopyOptions, OPTIONS } from './options.ts';
import { parseLocation, type S3Location } from './location.ts';
import { readStores, type StoreFlags } from './storeflags.ts';

const flags = flagReader('ebbflow copy --help');

/** What is to be copied, and how. Names of choices are the API's. */
export interface CopyJobText {
  readonly source: S3Location;
  readonly destination: S3Location;
  /** An object with one key per line, instead of a listing. */
  readonly keyList: { readonly bucket: string; readonly key: string } | undefined;
  /** Where the ledger is whose objects are taken, instead of a listing. */
  readonly ledgerOf: LedgerTarget | undefined;
  readonly rename: readonly { readonly match: string; readonly replace: string }[];
  readonly mode: 'Copy' | 'Move';
  readonly onUnmatched: 'Fail' | 'Skip' | 'Copy';
  readonly onExisting: 'SkipIdentical' | 'Fail' | 'Overwrite';
  readonly onEmpty: 'Fail' | 'Succeed';
  readonly keyEquivalence: 'Auto' | KeyEquivalence;
  readonly transfer: 'Auto' | 'ServerSide' | 'Stream';
  readonly multipartThreshold: string | undefined;
  readonly verify: 'ETag' | 'Checksum' | 'Sample';
  readonly samplePercent: number | undefined;
}

/** Where the plan and the ledger of a copy are: in a directory of this machine, or in a cluster. */
export type LedgerTarget =
  | { readonly directory: string }
  | { readonly uid: string; readonly stage: string | undefined; readonly connection: Connection };

export interface CopyRequest {
  readonly job: CopyJobText;
  readonly stores: StoreFlags;
  readonly maxFailures: number;
  readonly dryRun: boolean;
  /** Objects under way at a time. */
  readonly concurrency: number | undefined;
  /** Where plan and ledger are kept. */
  readonly state: string | undefined;
  /** Leave an unfinished run alone and plan anew. */
  readonly anew: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

export type CopyCommand = { readonly name: 'help' } | ({ readonly name: 'copy' } & CopyRequest);

/** @throws CliError that says what to type. */
export function parseCopyCommand(args: readonly string[]): CopyCommand {
  const { values, positionals } = flags.parse(args, OPTIONS);
  if (values.help === true || args.length === 0) return { name: 'help' };
  const planOnly = positionals[0] === 'plan';
  const [source, destination, extra] = planOnly ? positionals.slice(1) : positionals;
  if (source === undefined || destination === undefined) {
    throw flags.wrong('name a source and a destination: ebbflow copy s3://bucket/prefix s3://bucket/prefix');
  }
  if (extra !== undefined)
    throw flags.wrong(`two locations are enough; ${JSON.stringify(extra)} is too much`);
  return {
    name: 'copy',
    job: readJob(values, source, destination),
    stores: readStores(values),
    maxFailures: flags.count('max-failures', values['max-failures'], 0) ?? 0,
    dryRun: planOnly || values['dry-run'] === true,
    concurrency: flags.count('concurrency', values.concurrency, 1, 1024),
    state: values.state,
    anew: values.new ?? false,
    json: values.json ?? false,
    quiet: values.quiet ?? false,
  };
}

function readJob(values: CopyOptions, source: string, destination: string): CopyJobText {
  const samplePercent = flags.count('sample-percent', values['sample-percent'], 1, 100);
  const verify = flags.choose('verify', values.verify ?? 'ETag', ['ETag', 'Checksum', 'Sample']);
  if (samplePercent !== undefined && verify !== 'Sample') {
    throw flags.wrong('--sample-percent needs --verify sample');
  }
  return {
    source: parseLocation(source, 'source'),
    destination: parseLocation(destination, 'destination'),
    keyList: readKeyList(values['key-list']),
    ledgerOf: readLedgerOf(values),
    rename: pairRules(values.match ?? [], values.replace ?? []),
    mode: values.move === true ? 'Move' : 'Copy',
    onUnmatched: flags.choose('on-unmatched', values['on-unmatched'] ?? 'Fail', ['Fail', 'Skip', 'Copy']),
    onExisting: flags.choose('on-existing', values['on-existing'] ?? 'SkipIdentical', [
      'SkipIdentical',
      'Fail',
      'Overwrite',
    ]),
    onEmpty: flags.choose('on-empty', values['on-empty'] ?? 'Fail', ['Fail', 'Succeed']),
    keyEquivalence: flags.choose('key-equivalence', values['key-equivalence'] ?? 'Auto', [
      'Auto',
      'Exact',
      'Posix',
      'NFC',
      'CaseInsensitive',
      'PosixNFC',
      'PosixCaseInsensitive',
    ]),
    transfer: flags.choose('transfer', values.transfer ?? 'Auto', ['Auto', 'ServerSide', 'Stream']),
    multipartThreshold: values['multipart-threshold'],
    verify,
    samplePercent,
  };
}

function readKeyList(text: string | undefined): CopyJobText['keyList'] {
  if (text === undefined) return undefined;
  const { bucket, prefix: key } = parseLocation(text, 'key list');
  if (key === '')
    throw flags.wrong(`--key-list ${JSON.stringify(text)} names no object: write s3://bucket/key`);
  return { bucket, key };
}

function readLedgerOf(values: CopyOptions): CopyJobText['ledgerOf'] {
  const text = values['ledger-of'];
  const remote = (['stage', 'namespace', 'context', 'server'] as const).find(
    (name) => values[name] !== undefined,
  );
  if (remote !== undefined && !isUID(text ?? ''))
    throw flags.wrong(`--${remote} needs --ledger-of with the UID of a run`);
  if (text === undefined) return undefined;
  if (values['key-list'] !== undefined)
    throw flags.wrong('give --key-list or --ledger-of, not both: each says where the keys come from');
  const target = readLedgerTarget(text, { ...values, server: flags.address('server', values.server) });
  // What a job is must not depend on where it was typed.
  return 'directory' in target ? { directory: resolve(target.directory) } : target;
}

/** What looks like a UID is a run; anything else is a directory. */
export function readLedgerTarget(
  text: string,
  {
    stage,
    namespace = 'ebbflow-system',
    context,
    server,
  }: Partial<Record<'stage' | keyof Connection, string>>,
): LedgerTarget {
  if (!isUID(text)) return { directory: text };
  return { uid: text, stage, connection: { namespace, context, server } };
}

/** `--match` and `--replace` stand in pairs; the first pair that matches a key wins. */
function pairRules(matches: readonly string[], replaces: readonly string[]) {
  if (matches.length !== replaces.length) {
    const counts = `${matches.length} --match and ${replaces.length} --replace`;
    throw flags.wrong(`every --match needs its --replace: there are ${counts}`);
  }
  return matches.map((match, index) => ({ match, replace: replaces[index] ?? '' }));
}
