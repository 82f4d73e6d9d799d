/** The command line of `ebbflow copy verify`, taken apart. Pure. */
import { parseArgs } from 'node:util';
import type { AuditLevel } from '../../workers/copy/audit.ts';
import { CliError } from '../errors.ts';
import { choose, type LedgerTarget, readCount, readLedgerTarget } from './arguments.ts';
import { AUDIT_OPTIONS, type AuditOptions } from './options.ts';
import { readStores, type StoreFlags } from './storeflags.ts';

export interface AuditRequest {
  readonly target: LedgerTarget;
  readonly level: AuditLevel;
  readonly stores: StoreFlags;
  readonly concurrency: number | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

export type AuditCommand = { readonly name: 'help' } | ({ readonly name: 'audit' } & AuditRequest);

/** @throws CliError that says what to type. */
export function parseAuditCommand(args: readonly string[]): AuditCommand {
  const { values, positionals } = parse(args);
  if (values.help === true) return { name: 'help' };
  const [target, extra] = positionals;
  if (target === undefined) throw usage('name the state directory of a copy, or the UID of a run');
  if (extra !== undefined) throw usage(`one is enough; ${JSON.stringify(extra)} is too much`);
  return {
    name: 'audit',
    target: readLedgerTarget(target, values),
    level: readLevel(values),
    stores: readStores(values),
    concurrency: readCount('concurrency', values.concurrency, 1, 1024),
    json: values.json ?? false,
    quiet: values.quiet ?? false,
  };
}

function readLevel(values: AuditOptions): AuditLevel {
  const kind = choose('level', values.level, ['Size', 'Checksum', 'Sample'], 'Size');
  const percent = readCount('percent', values.percent, 1, 100);
  if (percent !== undefined && kind !== 'Sample') throw usage('--percent needs --level sample');
  return kind === 'Sample' ? { kind, percent: percent ?? 1 } : { kind };
}

function parse(args: readonly string[]): {
  readonly values: AuditOptions;
  readonly positionals: readonly string[];
} {
  try {
    return parseArgs({ args: [...args], options: AUDIT_OPTIONS, allowPositionals: true });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : 'the options cannot be read');
  }
}

function usage(message: string): CliError {
  return new CliError('Usage', message, { next: 'ebbflow copy verify --help' });
}
