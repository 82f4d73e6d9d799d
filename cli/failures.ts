/** `ebbflow results failures`: what copy stages could not copy, and why. */
import { deadLetter, shardDone } from '../workers/contract/ledger.ts';
import { RESULTS_ROUTES, runReply } from '../workers/contract/resultsapi.ts';
import { unpackLines } from '../workers/copy/frames.ts';
import type { ResultsClient } from './client.ts';
import { type CopyStage, copyStages, explainNothing } from './copystages.ts';
import { RemoteLedger } from './copy/remoteledger.ts';
import { CliError } from './errors.ts';
import { escapeControls } from './printable.ts';

export interface FailuresQuery {
  readonly uid: string;
  /** Every copy stage of the run unless given. */
  readonly stage: string | undefined;
  /** Lines as they are stored, for programs. */
  readonly json: boolean;
}

/**
 * One line per object, shard by shard; of a stage that goes on, what is known of shards that are done.
 * @throws CliError at the end, for a stage that did not copy and has no object to name for it.
 */
export async function* listFailures(
  { uid, stage, json }: FailuresQuery,
  client: ResultsClient,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const stages = copyStages(await client.get(runReply, RESULTS_ROUTES.run(uid), {}, signal), stage);
  const unexplained: string[] = [];
  let none = true;
  for (const copy of stages) {
    const ledger = new RemoteLedger(client, uid, copy.name);
    const keys = await ledgerKeys(ledger, copy, signal);
    let objects = 0;
    for (const key of keys) {
      if (!key.endsWith('/done.json')) continue;
      const { deadLetters } = shardDone.parse(JSON.parse((await ledger.get(key, signal)).toString('utf8')));
      if (deadLetters === undefined) continue;
      objects += 1;
      for (const line of await unpackLines(await ledger.get(deadLetters.key, signal)))
        yield json ? `${line}\n` : formatFailure(copy.name, line);
    }
    none &&= objects === 0;
    const why = objects === 0 ? explainNothing(copy, keys.length > 0) : undefined;
    if (why !== undefined) unexplained.push(escapeControls(why));
  }
  if (unexplained.length > 0)
    throw new CliError('NotCopied', unexplained.join('; '), { next: `ebbflow results show ${uid}` });
  if (none && !json) yield stages.length === 0 ? 'No copy of this run has begun.\n' : NONE;
}

const NONE = 'No object failed to be copied.\n';

/** A copy that was refused, or has not begun, has no ledger. */
async function ledgerKeys(
  ledger: RemoteLedger,
  { name }: CopyStage,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    return [...(await ledger.list(name, signal))];
  } catch (error) {
    if (error instanceof CliError && error.code === 'NoLedger') return [];
    throw error;
  }
}

function formatFailure(stage: string, line: string): string {
  const { source, destination, error } = deadLetter.parse(JSON.parse(line));
  return `${stage}  ${escapeControls(source)} -> ${escapeControls(destination)}  ${escapeControls(error)}\n`;
}
