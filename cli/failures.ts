/** `ebbflow results failures`: what copy stages could not copy, and why. */
import { deadLetter, shardDone } from '../workers/contract/ledger.ts';
import { RESULTS_ROUTES, runReply } from '../workers/contract/resultsapi.ts';
import { unpackLines } from '../workers/copy/frames.ts';
import type { ResultsClient } from './client.ts';
import { RemoteLedger } from './copy/remoteledger.ts';
import { escapeControls } from './printable.ts';

export interface FailuresQuery {
  readonly uid: string;
  /** Every copy stage of the run unless given. */
  readonly stage: string | undefined;
  /** Lines as they are stored, for programs. */
  readonly json: boolean;
}

/** One line per object, shard by shard; of a stage that goes on, what is known of shards that are done. */
export async function* listFailures(
  { uid, stage, json }: FailuresQuery,
  client: ResultsClient,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const stages = stage === undefined ? await copyStages(uid, client, signal) : [stage];
  let none = true;
  for (const name of stages) {
    const ledger = new RemoteLedger(client, uid, name);
    const keys = [...(await ledger.list(name, signal))].filter((key) => key.endsWith('/done.json'));
    for (const key of keys) {
      const { deadLetters } = shardDone.parse(JSON.parse((await ledger.get(key, signal)).toString('utf8')));
      if (deadLetters === undefined) continue;
      none = false;
      for (const line of await unpackLines(await ledger.get(deadLetters.key, signal)))
        yield json ? `${line}\n` : formatFailure(name, line);
    }
  }
  if (none && !json) yield 'No object failed to be copied.\n';
}

async function copyStages(uid: string, client: ResultsClient, signal: AbortSignal): Promise<string[]> {
  const reply = await client.get(runReply, RESULTS_ROUTES.run(uid), {}, signal);
  if ('record' in reply)
    return reply.record.stages.filter(({ kind, copy }) => kind === 'copy' && copy).map(({ name }) => name);
  return reply.live.stages.filter(({ progress }) => progress?.unit === 'objects').map(({ name }) => name);
}

function formatFailure(stage: string, line: string): string {
  const { source, destination, error } = deadLetter.parse(JSON.parse(line));
  return `${stage}  ${escapeControls(source)} -> ${escapeControls(destination)}  ${escapeControls(error)}\n`;
}
