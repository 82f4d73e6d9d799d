/** The command line of `ebbflow copy verify`, taken apart. Pure. */
import { parseArgs } from 'node:util';
import type { AuditLevel } from '../../workers/copy/audit.ts';
import type { Connection } from '../arguments.ts';
import { CliError } from '../errors.ts';
import { choose, readCount } from './arguments.ts';
import { AUDIT_OPTIONS, type AuditOptions } from './auditoptions.ts';
import { readStores, type StoreFlags } from './storeflags.ts';

export interface AuditRequest {
  /** A run in the cluster, or a directory of this machine. */
  readonly target: { readonly uid: string } | { readonly directory: string };
  readonly stage: string | undefined;
  readonly level: AuditLevel;
  readonly stores: StoreFlags;
  readonly concurrency: number | undefined;
  readonly connection: Connection;
  readonly json: boolean;
  readonly quiet: boolean;
}

export type AuditCommand = { readonly name: 'help' } | ({ readonly name: 'audit' } & AuditRequest);

const UID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** @throws CliError that says what to type. */
export function parseAuditCommand(args: readonly string[]): AuditCommand {
  const { values, positionals } = parse(args);
  if (values.help === true) return { name: 'help' };
  const [target, extra] = positionals;
  if (target === undefined) throw usage('name the state directory of a copy, or the UID of a run');
  if (extra !== undefined) throw usage(`one is enough; ${JSON.stringify(extra)} is too much`);
  return {
    name: 'audit',
    target: UID.test(target) ? { uid: target } : { directory: target },
    stage: values.stage,
    level: readLevel(values),
    stores: readStores(values),
    concurrency: readCount('concurrency', values.concurrency, 1, 1024),
    connection: {
      namespace: values.namespace ?? 'ebbflow-system',
      context: values.context,
      server: values.server,
    },
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
