/** What a stage has stored, asked for page by page: of a copy of a thousand million objects it is a hundred thousand keys. */
import type { GetGrant } from '../contract/workerapi.ts';
import type { Patience, WorkerApi } from './client.ts';

/**
 * Plan, ledger and admitted outputs of the stage, in pages, or what comes after a key or prefix of them; every URL
 * lives for its grant's own time.
 */
export async function* listStored(
  api: Pick<WorkerApi, 'grants'>,
  { stage, after: from = '' }: { readonly stage: string; readonly after?: string },
  signal: AbortSignal,
  options: Patience,
): AsyncGenerator<readonly GetGrant[], void, undefined> {
  // An empty key comes before all others.
  let after: string | undefined = from;
  while (after !== undefined) {
    const reply: { existing: readonly GetGrant[]; more?: string | undefined } = await api.grants(
      { list: [stage], after },
      signal,
      options,
    );
    yield reply.existing;
    after = reply.more;
  }
}
