/** The command line of `ebbflow copy verify`, taken apart. Pure. */
import { parseArgs } from 'node:util';
import type { VerifyLevel } from '../../workers/copy/verifyrow.ts';
import { CliError } from '../errors.ts';
import { choose, type LedgerTarget, readCount, readLedgerTarget } from './arguments.ts';
import { VERIFY_OPTIONS, type VerifyOptions } from './options.ts';
import { readStores, type StoreFlags } from './storeflags.ts';

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
  const { values, positionals } = parse(args);
  if (values.help === true) return { name: 'help' };
  const [target, extra] = positionals;
  if (target === undefined) throw usage('name the state directory of a copy, or the UID of a run');
  if (extra !== undefined) throw usage(`one is enough; ${JSON.stringify(extra)} is too much`);
  return {
    name: 'verify',
    target: readLedgerTarget(target, values),
    level: readLevel(values),
    stores: readStores(values),
    concurrency: readCount('concurrency', values.concurrency, 1, 1024),
    json: values.json ?? false,
    quiet: values.quiet ?? false,
  };
}

function readLevel(values: VerifyOptions): VerifyLevel {
  const kind = choose('level', values.level, ['Size', 'Checksum', 'Sample'], 'Size');
  const percent = readCount('percent', values.percent, 1, 100);
  if (percent !== undefined && kind !== 'Sample') throw usage('--percent needs --level sample');
  return kind === 'Sample' ? { kind, percent: percent ?? 1 } : { kind };
}

function parse(args: readonly string[]): {
  readonly values: VerifyOptions;
  readonly positionals: readonly string[];
} {
  try {
    return parseArgs({ args: [...args], options: VERIFY_OPTIONS, allowPositionals: true });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : 'the options cannot be read');
  }
}

function usage(message: string): CliError {
  return new CliError('Usage', message, { next: 'ebbflow copy verify --help' });
}
