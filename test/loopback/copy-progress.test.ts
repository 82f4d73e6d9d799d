import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Tally } from '../../workers/copy/tally.ts';
import { StageBed } from '../support/stagebed.ts';

const MiB = 1024 ** 2;
let bed: StageBed;
beforeEach(async () => {
  const generated = [{ bucket: 'raw', key: 'in/large', size: 40 * MiB, seed: 1 }];
  bed = await StageBed.start({ buckets: ['raw', 'lake'], generated });
});
afterEach(() => bed.stop());

test.each(['ServerSide', 'Stream'] as const)(
  'the parts of an object count before it is whole, and no more when it has failed: %s',
  async (transfer) => {
    bed.stores.double.setFaults([{ operation: 'CompleteMultipartUpload', key: 'out/large', kind: 'stall' }]);
    const abort = new AbortController();
    let tally: Tally | undefined;
    const running = bed.run(
      'arrange',
      {
        source: { store: 's', bucket: 'raw', prefix: 'in/' },
        destination: { store: 's', bucket: 'lake', prefix: 'out/' },
        multipartThreshold: '5Mi',
        transfer,
      },
      { abort: abort.signal, onTally: (known) => (tally = known) },
    );
    await vi.waitFor(() => expect(tally?.bytes).toBe(40 * MiB), { timeout: 120_000 });
    expect(tally).toMatchObject({ own: { objects: 0, bytes: 40 * MiB }, done: 0, result: { bytes: 0 } });
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect(tally).toMatchObject({ own: { bytes: 0 }, bytes: 0 });
  },
);
