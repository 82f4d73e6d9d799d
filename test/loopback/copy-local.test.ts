/** `ebbflow copy` and `ebbflow copy verify` on this machine, on a store that can be made to fail. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { contents, seed } from '../support/copybed.ts';
import { LocalCopies } from '../support/localcopy.ts';

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
    const report = await local.audit(state);
    expect(report.counts).toMatchObject({ planned: 40, checked: 15, same: 15, unrecorded: 25 });
    expect(report).toMatchObject({ result: 'Unfinished', exitCode: 12 });
    expect(report.message).toMatch(/^the copy is not finished: 25 of its 40 objects /);
    await local.copy(...both);
    expect(await local.audit(state)).toMatchObject({
      result: 'Same',
      exitCode: 0,
      counts: { unrecorded: 0 },
    });
  });

  test('says first what is wrong with what was copied', async () => {
    const state = await copyHalf();
    const [key = ''] = [...(await contents(local.client, 'lake')).keys()];
    await seed(local.client, 'lake', [[key, 'something else']]);
    const report = await local.audit(state);
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
