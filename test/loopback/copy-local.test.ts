/** `ebbflow copy` and `ebbflow copy verify` on this machine, on a store that can be made to fail. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { putObject } from '../../workers/s3/objects.ts';
import { contents, patientSignal, seed } from '../support/copybed.ts';
import { LocalCopies } from '../support/localcopy.ts';
import { Bytes } from '../support/s3double/content.ts';

let local: LocalCopies;
beforeEach(async () => {
  local = await LocalCopies.start();
});
afterEach(() => local.stop());

const both = ['s3://raw/in/', 's3://lake/out/'];
const objects = Array.from({ length: 40 }, (_, n) => [`in/k${n}`, `content ${n}`] as const);

describe('the verification of a copy that is not finished', () => {
  /** Copies until the bucket is gone, and returns where the plan and the ledger are. */
  async function copyHalf(): Promise<string> {
    await seed(local.client, 'raw', objects);
    const gone = {
      kind: 'answer',
      operation: 'CopyObject',
      bucket: 'lake',
      key: 'out/k',
      status: 404,
    } as const;
    local.double.setFaults([{ ...gone, code: 'NoSuchBucket', after: 15 }]);
    const { exitCode, state } = await local.copy(...both, '--concurrency', '1');
    local.double.setFaults([]);
    expect(exitCode).toBe(12);
    return String(state);
  }

  test('says so and is not well, however good what was copied is', async () => {
    const state = await copyHalf();
    const report = await local.verify(state);
    expect(report.counts).toMatchObject({ planned: 40, checked: 15, same: 15, unrecorded: 25 });
    expect(report).toMatchObject({ result: 'Unfinished', exitCode: 12 });
    expect(report.message).toMatch(/^the copy is not finished: 25 of its 40 objects /);
    await local.copy(...both);
    expect(await local.verify(state)).toMatchObject({
      result: 'Same',
      exitCode: 0,
      counts: { unrecorded: 0 },
    });
  });

  test('says first what is wrong with what was copied', async () => {
    const state = await copyHalf();
    const [key = ''] = [...(await contents(local.client, 'lake')).keys()];
    await seed(local.client, 'lake', [[key, 'something else']]);
    const report = await local.verify(state);
    expect(report).toMatchObject({
      result: 'Different',
      exitCode: 11,
      counts: { different: 1, unrecorded: 25 },
    });
    expect(report.message).toMatch(
      /^1 of 15 objects are not as they were copied, and the copy is not finished/,
    );
  });
});

test('the verification of a copy is not misled by a source whose ETag only looks like an MD5 sum', async () => {
  const headers = { 'x-amz-server-side-encryption': 'aws:kms' };
  const content = new Bytes(Buffer.from('secret'));
  const secret = { key: 'in/kms', content, etag: '0123456789abcdef'.repeat(2), headers, tagging: '' };
  local.double.store.write(local.double.store.bucket('raw'), secret);
  const state = String((await local.copy(...both)).state);
  const checked = await local.verify(state, '--level', 'checksum');
  expect(checked).toMatchObject({ result: 'Same', counts: { same: 1 } });
  // As somebody would spoil it whose store still has its old ETag.
  const spoilt = { key: 'out/kms', content: new Bytes(Buffer.from('SECRET')), headers: {}, tagging: '' };
  const lake = local.double.store.bucket('lake');
  local.double.store.write(lake, { ...spoilt, etag: lake.get('out/kms')?.etag ?? '' });
  expect(await local.verify(state, '--level', 'checksum')).toMatchObject({ result: 'Different' });
});

describe('a copy that is done once more', () => {
  const MiB = 1024 ** 2;
  const parts = { bucket: 'raw', key: 'in/parts', size: 12 * MiB, seed: 1 };
  const encrypted = { 'x-amz-server-side-encryption': 'aws:kms' };
  const kms = { bucket: 'raw', key: 'in/kms', size: 4096, seed: 2, headers: encrypted };
  const command = [...both, '--multipart-threshold', '5Mi'];

  beforeEach(async () => {
    await local.stop();
    local = await LocalCopies.start({ generated: [parts, kms] });
  });

  test('knows by its ledgers what it copied, also where ETags do not tell, and however often it is done', async () => {
    expect(await local.copy(...command)).toMatchObject({ result: 'Copied', plan: { toCopy: 2 } });
    expect(await local.copy('plan', ...command)).toMatchObject({ plan: { toCopy: 0, skipped: 2 } });
    for (let again = 0; again < 12; again += 1) {
      const { plan, state } = await local.copy(...command);
      expect(plan).toMatchObject({ toCopy: 0, skipped: 2 });
      // Its own ledger has the ETags that are there, so it can be verified.
      expect(await local.verify(String(state))).toMatchObject({ result: 'Same', counts: { same: 2 } });
    }
    expect(local.double.stats().requests['UploadPartCopy']).toBe(3);
  });

  test('deletes in mode Move the sources of what a copy before it brought', async () => {
    await local.copy(...command);
    expect(await local.copy(...command, '--move')).toMatchObject({
      result: 'Copied',
      copy: { copied: 0, skipped: 2, moved: 2 },
    });
    expect(local.double.store.bucket('raw').keys).toEqual([]);
  });

  test('takes nothing for its copy that is another object by now, on either side', async () => {
    await local.copy(...command);
    const other = Buffer.alloc(4096, 'x');
    await putObject(local.client, { bucket: 'lake', key: 'out/kms', body: other }, patientSignal);
    const changed = await local.copy(...command);
    expect(changed).toMatchObject({ result: 'Refused', exitCode: 10 });
    expect(changed.message).toMatch(/"in\/kms" would become "out\/kms", which exists with ETag/);
  });
});

describe('a copy of what another one wrote', () => {
  const onwards = ['s3://lake/out/', 's3://raw/onwards/'];

  async function first(): Promise<string> {
    await seed(local.client, 'raw', objects.slice(0, 5));
    const { state } = await local.copy(...both);
    await seed(local.client, 'lake', [['out/foreign', 'not of that copy']]);
    return String(state);
  }

  test('takes its keys from the ledger, and needs the ledger only to plan', async () => {
    const state = await first();
    expect(await local.copy('plan', ...onwards, '--ledger-of', state)).toMatchObject({ plan: { rows: 5 } });
    const denied = {
      kind: 'answer',
      operation: 'CopyObject',
      bucket: 'raw',
      key: 'onwards/k',
      status: 404,
    } as const;
    local.double.setFaults([{ ...denied, code: 'NoSuchBucket', after: 2 }]);
    const command = [...onwards, '--ledger-of', state, '--concurrency', '1'];
    expect(await local.copy(...command)).toMatchObject({ exitCode: 12 });
    local.double.setFaults([]);
    await rm(state, { recursive: true });
    expect(await local.copy(...command)).toMatchObject({
      result: 'Copied',
      resumed: true,
      copy: { copied: 5 },
    });
    const copied = [...(await contents(local.client, 'raw')).keys()].filter((key) =>
      key.startsWith('onwards/'),
    );
    expect(copied).toEqual(objects.slice(0, 5).map(([key]) => key.replace('in/', 'onwards/')));
  });

  test('is refused where its source is not what that copy wrote to', async () => {
    const state = await first();
    const elsewhere = await local.copy('s3://raw/in/', 's3://lake/x/', '--ledger-of', state);
    expect(elsewhere).toMatchObject({ result: 'Error', exitCode: 1 });
    expect(elsewhere.message).toContain('it wrote to bucket lake and not to raw');
    const nothing = await local.copy(...onwards, '--ledger-of', local.home);
    expect(nothing.message).toContain(`there is no plan of a copy in ${local.home}`);
  });
});
