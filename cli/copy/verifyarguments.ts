/** The command line of `ebbflow copy verify`, taken apart. Pure. */
import type { VerifyLevel } from '../../workers/copy/verifyrow.ts';
import { flagReader } from '../flags.ts';
import { type LedgerTarget, readLedgerTarget } from './arguments.ts';
import { VERIFY_OPTIONS, type VerifyOptions } from './options.ts';
import { readStores, type StoreFlags } from './storeflags.ts';

const flags = flagReader('ebbflow copy verify --help');

export interface VerifyRequest {
  readonly target: LedgerTarget;
  readonly level: VerifyLevel;
  readonly stores: StoreFlags;
  readonly concurrency: number | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

export type VerifyCommand = { readonly name: 'help' } | ({ readonly name: 'verify' } & VerifyRequest);

/** @throws CliError that says what to type. */
export function parseVerifyCommand(args: readonly string[]): VerifyCommand {
  const { values, positionals } = flags.parse(args, VERIFY_OPTIONS);
  if (values.help === true) return { name: 'help' };
  const [target, extra] = positionals;
  if (target === undefined) throw flags.wrong('name the state directory of a copy, or the UID of a run');
  if (extra !== undefined) throw flags.wrong(`one is enough; ${JSON.stringify(extra)} is too much`);
  return {
    name: 'verify',
    target: readLedgerTarget(target, { ...values, server: flags.address('server', values.server) }),
    level: readLevel(values),
    stores: readStores(values),
    concurrency: flags.count('concurrency', values.concurrency, 1, 1024),
    json: values.json ?? false,
    quiet: values.quiet ?? false,
  };
}

function readLevel(values: VerifyOptions): VerifyLevel {
  const kind = flags.choose('level', values.level ?? 'Size', ['Size', 'Checksum', 'Sample']);
  const percent = flags.count('percent', values.percent, 1, 100);
  if (percent !== undefined && kind !== 'Sample') throw flags.wrong('--percent needs --level sample');
  return kind === 'Sample' ? { kind, percent: percent ?? 1 } : { kind };
}
