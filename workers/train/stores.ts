import type { WorkerSpec, WorkerStore } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import type { S3Client } from '../s3/client.ts';
import { WorkerFailure } from './failure.ts';

/** Clients of the stores of a stage, each opened when it is first needed. `close` ends them. */
export class OpenStores {
  readonly #stores: WorkerSpec['stores'];
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #open = new Map<string, Promise<S3Client>>();

  constructor(stores: WorkerSpec['stores'], env: Readonly<Record<string, string | undefined>>) {
    this.#stores = stores;
    this.#env = env;
  }

  async client(name: string): Promise<S3Client> {
    let client = this.#open.get(name);
    if (client === undefined) {
      const store = this.#stores.find((candidate) => candidate.name === name);
      if (store === undefined)
        throw new WorkerFailure(
          EXIT.misconfigured,
          'InvalidSpec',
          `store ${JSON.stringify(name)} is not in spec.stores`,
        );
      client = openClient(store, this.#env);
      this.#open.set(name, client);
    }
    return client;
  }

  async close(): Promise<void> {
    for (const client of await Promise.allSettled(this.#open.values()))
      if (client.status === 'fulfilled') await client.value.close();
  }
}

/** The S3 client is loaded only by pods that have something to fetch or to store: it is most of a worker's start. */
async function openClient(
  store: WorkerStore,
  env: Readonly<Record<string, string | undefined>>,
): Promise<S3Client> {
  const { openStore } = await import('../copy/stores.ts');
  return openStore(store, env);
}
