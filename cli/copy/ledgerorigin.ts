/** Where the keys of a copy come from when they come from the ledger of another one: `--ledger-of`. */
import type { SourceLedger } from '../../workers/copy/ledgersource.ts';
import { CliError } from '../errors.ts';
import { openForward } from '../portforward.ts';
import type { LedgerTarget } from './arguments.ts';
import { type RecordedCopy, openLocal, openRemote } from './recordedcopy.ts';
import type { LocalStores } from './stores.ts';

/** A ledger that is opened when it is needed: a copy that goes on has all of it in its plan. */
export interface LedgerOrigin {
  readonly open: (signal: AbortSignal) => Promise<SourceLedger>;
  readonly close: () => void;
}

/** `bucket` and `stores` are those of the new copy. */
export function originOf(target: LedgerTarget, bucket: string, stores: LocalStores): LedgerOrigin {
  let close = (): void => undefined;
  const open = async (signal: AbortSignal): Promise<RecordedCopy> => {
    if ('directory' in target) return openLocal(target.directory, signal);
    const { connection, uid, stage } = target;
    if (connection.server !== undefined) return openRemote(connection.server, uid, stage, signal);
    const forward = await openForward(connection, signal);
    ({ close } = forward);
    return openRemote(forward.url, uid, stage, signal);
  };
  return {
    open: async (signal) => {
      const source = await open(signal);
      // A run in a cluster may know the same store by another address.
      if ('directory' in target) requireSameStore(source, stores);
      const { destination } = source.index;
      if (destination.bucket !== bucket)
        throw wrongPlace(`it wrote to bucket ${destination.bucket} and not to ${bucket}`);
      return { results: source.results, stage: source.stage, store: destination.store };
    },
    close: () => close(),
  };
}

function requireSameStore({ stores }: RecordedCopy, { source }: LocalStores): void {
  const [its, ours] = [stores.destination.endpoint ?? 'Amazon S3', source.endpoint ?? 'Amazon S3'];
  if (its !== ours) throw wrongPlace(`it wrote to ${its} and not to ${ours}`);
}

function wrongPlace(why: string): CliError {
  return new CliError(
    'Usage',
    `the source is not where the copy of --ledger-of wrote to: ${why}; name as the source the place that it wrote to`,
    { next: 'ebbflow copy --help' },
  );
}
