import type { WorkerApi } from '../api/client.ts';
import { listStored } from '../api/stored.ts';
import type { WorkerInput, WorkerLocation } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import { parseAttemptKey, planIndexKey } from '../contract/keys.ts';
import { outputsManifest } from '../contract/manifests.ts';
import type { GetGrant } from '../contract/workerapi.ts';
import { listObjects } from '../s3/listpage.ts';
import { listCopied } from './copied.ts';
import { WorkerFailure } from './failure.ts';
import { checkFilePath, filePathOf, quotePath } from './filepath.ts';
import { withPatience } from './patience.ts';
import type { OpenStores } from './stores.ts';
import { throughGrant } from './throughgrant.ts';

/** One object of an input and the file it becomes. */
export interface InputFile {
  readonly store: string;
  readonly bucket: string;
  readonly key: string;
  readonly size: number;
  /** Pins the content; empty where nothing is known. */
  readonly etag: string;
  /** Below the input's directory. */
  readonly path: string;
}

/** What a stage input is read with. Every `get` grant comes from one listing and lives for its grant's own time. */
export interface StageReader {
  readonly api: Pick<WorkerApi, 'grants' | 'get'>;
  readonly patience: number;
}

/** Everything that belongs to an input, before the first byte is fetched. Two objects for one file are refused. */
export async function listInput(
  input: WorkerInput,
  reader: StageReader,
  stores: OpenStores,
  signal: AbortSignal,
): Promise<InputFile[]> {
  const files: InputFile[] = [];
  const keys = new Map<string, string>();
  const found =
    input.location === undefined
      ? listStage(input.stage ?? '', reader, signal)
      : listLocation(input.location, reader.patience, stores, signal);
  for await (const file of found) {
    const other = keys.get(file.path);
    if (other !== undefined)
      throw refused(
        `two objects want to be the file ${quotePath(file.path)}: keys ${quotePath(other)} and ${quotePath(file.key)}`,
      );
    keys.set(file.path, file.key);
    files.push(file);
  }
  return files;
}

async function* listLocation(
  location: WorkerLocation,
  patience: number,
  stores: OpenStores,
  signal: AbortSignal,
): AsyncGenerator<InputFile> {
  const { store, bucket, prefix } = location;
  const client = await stores.client(store);
  let token: string | undefined;
  let count = 0;
  do {
    const what = { bucket, prefix, token };
    const page = await withPatience(patience, () => listObjects(client, what, signal), signal);
    for (const { key, size, etag } of page.objects) {
      const path = filePathOf(key, prefix);
      if (path === undefined) continue;
      count += 1;
      yield { store, bucket, key, size, etag, path };
    }
    token = page.nextToken;
  } while (token !== undefined);
  if (count === 0) {
    const where = prefix === '' ? `bucket ${bucket} has no objects` : `no object under ${bucket}/${prefix}`;
    throw refused(`${where} in store ${store}: look at the input's bucket and prefix`);
  }
}

/** The outputs of a container stage, or what stands at the destination of a copy stage. */
async function* listStage(
  stage: string,
  reader: StageReader,
  signal: AbortSignal,
): AsyncGenerator<InputFile> {
  const patience = { patience: reader.patience };
  const existing: GetGrant[] = [];
  for await (const page of listStored(reader.api, { stage }, signal, patience)) existing.push(...page);
  const outputs = existing.filter(({ key }) => parseAttemptKey(key)?.rest === 'outputs.json');
  for (const grant of outputs) yield* readOutputs(grant, reader, signal);
  if (outputs.length > 0) return;
  if (existing.some(({ key }) => key === planIndexKey(stage))) {
    yield* listCopied(stage, existing, reader, signal);
    return;
  }
  throw refused(`stage ${stage} has stored nothing that could be an input: give it outputs`);
}

async function* readOutputs(
  grant: GetGrant,
  reader: StageReader,
  signal: AbortSignal,
): AsyncGenerator<InputFile> {
  const body = await readGrant(grant, reader, signal);
  const { files } = outputsManifest.parse(JSON.parse(body.toString('utf8')));
  for (const { store, bucket, key, size, etag, path } of files) {
    checkFilePath(path, key);
    yield { store, bucket, key, size, etag, path };
  }
}

/** A document of the results bucket that must be there. */
export async function readGrant(grant: GetGrant, reader: StageReader, signal: AbortSignal): Promise<Buffer> {
  const { api, patience } = reader;
  const body = await throughGrant(
    grant,
    {
      renew: async (left) => {
        const { get } = await api.grants({ get: [grant.key] }, signal, { patience: left });
        return get[0] ?? grant;
      },
      transfer: (current, left) => api.get(current, signal, { patience: left }),
      patience,
    },
    signal,
  );
  if (body === undefined) throw refused(`${grant.key} is gone from the results store`);
  return body;
}

function refused(message: string): WorkerFailure {
  return new WorkerFailure(EXIT.inputFailed, 'InputFailed', message);
}
