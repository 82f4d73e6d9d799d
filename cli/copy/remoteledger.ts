/** The plan and ledger of a copy stage that ran in a cluster, read through the operator. */
import { ledgerObject, RESULTS_ROUTES } from '../../workers/contract/resultsapi.ts';
import type { ReadableResults } from '../../workers/copy/results.ts';
import type { ResultsClient } from '../client.ts';
import { CliError } from '../errors.ts';

export class RemoteLedger implements ReadableResults {
  readonly #client: ResultsClient;
  readonly #uid: string;
  readonly #stage: string;

  constructor(client: ResultsClient, uid: string, stage: string) {
    this.#client = client;
    this.#uid = uid;
    this.#stage = stage;
  }

  async list(stage: string, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of this.#client.bytes(RESULTS_ROUTES.ledger(this.#uid, stage), {}, signal)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) keys.add(ledgerObject.parse(JSON.parse(line)).key);
    }
    if (rest !== '') throw new CliError('CutShort', 'the answer of the operator was cut short; try again');
    return keys;
  }

  async get(key: string, signal: AbortSignal): Promise<Buffer> {
    const path = RESULTS_ROUTES.ledgerObject(this.#uid, this.#stage);
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#client.bytes(path, { key }, signal)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}
