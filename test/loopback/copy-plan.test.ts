import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PlanRefused } from '../../workers/copy/problems.ts';
import { PlanBed, type PlanOptions } from '../support/planbed.ts';

let bed: PlanBed;
beforeEach(async () => {
  bed = await PlanBed.start();
});
afterEach(() => bed.stop());

/** Why a plan was refused. */
async function refusal(...plan: Parameters<PlanBed['plan']>): Promise<PlanRefused> {
  try {
    await bed.plan(...plan);
  } catch (error) {
    if (error instanceof PlanRefused) return error;
    throw error;
  }
  throw new Error('the plan was not refused');
}

const onlyOne: PlanOptions = { rename: [{ match: '', replace: 'one' }] };

describe('a plan', () => {
  test('names sources and destinations in the order of the listing', async () => {
    for (const key of ['in/b"\n', 'in/a', 'in/é😀', 'other/x']) await bed.put('raw', key);
    const { index, rows } = await bed.plan();
    expect(rows.map(({ source, destination, action }) => [source, destination, action])).toEqual([
      ['in/a', 'out/a', 'Copy'],
      ['in/b"\n', 'out/b"\n', 'Copy'],
      ['in/é😀', 'out/é😀', 'Copy'],
    ]);
    expect(index).toMatchObject({ rows: 3, toCopy: 3, listed: 3, renamed: 0, bytes: 4 + 6 + 9, workers: 1 });
  });

  test('says which rows are there already, and copies only the others', async () => {
    for (const key of ['a', 'b', 'c']) await bed.put('raw', `in/${key}`, key);
    await bed.put('lake', 'out/b', 'b');
    const { index, rows } = await bed.plan();
    expect(rows.map(({ action }) => action)).toEqual(['Copy', 'Skip', 'Copy']);
    expect(index).toMatchObject({ rows: 3, toCopy: 2, skipped: 1, bytes: 2 });
    expect(index.shards.map(({ bytes, rows: count }) => [count, bytes])).toEqual([[3, 2]]);
  });

  test('refuses other content at a destination, and names both', async () => {
    await bed.put('raw', 'in/a', 'new');
    await bed.put('lake', 'out/a', 'other');
    expect((await refusal()).message).toContain(
      '"in/a" would become "out/a", which exists with 5 bytes instead of 3',
    );
    expect((await bed.plan({ onExisting: 'Overwrite' })).index.toCopy).toBe(1);
  });

  test('counts all problems and names the first ten, whatever the order in which they are found', async () => {
    for (let n = 0; n < 30; n += 1) await bed.put('raw', `in/${String(n).padStart(2, '0')}`);
    const { message, problems } = await refusal(onlyOne);
    expect(problems).toBe(29);
    const named = [...message.matchAll(/and "in\/(\d+)" would both become/g)].map(([, n]) => Number(n));
    expect(named).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('is the same when it is worked out on the disk', async () => {
    for (let n = 0; n < 300; n += 1) {
      await bed.put('raw', `in/${n}`, 'x'.repeat(n));
      if (n % 3 === 0) await bed.put('lake', `out/${n}`, 'x'.repeat(n));
    }
    const inMemory = await bed.plan({ workers: 3 });
    const onDisk = await bed.plan({ workers: 3, memory: 100 });
    expect(onDisk.rows).toEqual(inMemory.rows);
    expect({ ...onDisk.index, time: '' }).toEqual({ ...inMemory.index, time: '' });
    expect(inMemory.index.workers).toBe(3);
    expect(inMemory.index.skipped).toBe(100);
  });

  test('has another worker only where it would get its share of the work', async () => {
    for (let n = 0; n < 30; n += 1) await bed.put('raw', `in/${n}`);
    const workersFor = async (share: number): Promise<number> =>
      (await bed.plan({ workers: 4, share })).index.workers;
    expect([await workersFor(31), await workersFor(12), await workersFor(5)]).toEqual([1, 2, 4]);
  });

  test('that takes more scratch space than it may is refused before it is evicted', async () => {
    for (let n = 0; n < 50; n += 1) await bed.put('raw', `in/${n}`);
    const { message } = await refusal({ memory: 100, limit: 2_000 });
    expect(message).toMatch(/more than .* of scratch space: .*ephemeral-storage/);
  });

  test('of one bucket refuses chains and cycles before anything is written', async () => {
    for (const key of ['in/1', 'in/2', 'in/3']) await bed.put('raw', key);
    bed.double.recording = true;
    const rename = [{ match: '^(?<n>\\d)$', replace: '{n}' }];
    const swap = [
      { match: '^1$', replace: '2' },
      { match: '^2$', replace: '1' },
    ];
    const inside = { destination: { store: 'lake', bucket: 'raw', prefix: 'in/' } };
    const { message, problems } = await refusal({ rename: [...swap, ...rename] }, inside);
    expect(problems).toBe(2);
    expect(message).toContain('"in/1" would become "in/2", which is itself a source and would become "in/1"');
    expect(bed.double.seen.filter((line) => !line.startsWith('ListObjects'))).toEqual([]);
    expect((await bed.plan({ rename }, inside)).index).toMatchObject({ unchanged: 3, toCopy: 0 });
  });

  test('under the keys of the endpoint finds what is one key there', async () => {
    await bed.stop();
    bed = await PlanBed.start({ aliases: 'Posix' });
    for (const key of ['in/a', 'in/b']) await bed.put('raw', key);
    const rename = [
      { match: '^a$', replace: 'd//x' },
      { match: '^b$', replace: 'd/x' },
    ];
    const { message } = await refusal({ rename });
    expect(message).toContain('is the same key to this store, which compares keys as Posix');
  });

  test.each([
    ['out', undefined],
    ['out/deep', 'out/deep/'],
    ['out', 'out/deep/er'],
  ])('finds the object %j, which stands above the whole destination', async (file, prefix) => {
    await bed.stop();
    bed = await PlanBed.start({ aliases: 'Posix' });
    await bed.put('raw', 'in/a');
    await bed.put('lake', file);
    const place = { destination: { store: 'lake', bucket: 'lake', ...(prefix && { prefix }) } };
    const because = `"${file}" exists, and this store cannot hold one key inside the other`;
    expect((await refusal({}, place)).message).toContain(because);
    expect((await refusal({ dryRun: true, keyEquivalence: 'Posix' }, place)).message).toContain(because);
    expect((await refusal({ onExisting: 'Overwrite' }, place)).message).toContain(because);
  });

  test('takes for copied what exists under a key that any store takes for the same one, and refuses any other', async () => {
    await bed.put('raw', 'in/Key', 'x');
    await bed.put('lake', 'out/kEY', 'x');
    const options = { keyEquivalence: 'CaseInsensitive' } as const;
    expect((await bed.plan(options)).index).toMatchObject({ skipped: 1, toCopy: 0 });
    await bed.put('raw', 'in/straße', 'x');
    await bed.put('lake', 'out/STRASSE', 'x');
    const { message } = await refusal(options);
    expect(message).toContain('"out/straße", and "out/STRASSE" exists: some stores');
    const rename = [{ match: '^straße$', replace: 'STRASSE' }];
    const inside = {
      source: { store: 'lake', bucket: 'raw' },
      destination: { store: 'lake', bucket: 'raw', prefix: 'in/' },
    };
    expect((await refusal({ ...options, rename, onUnmatched: 'Copy' }, inside)).message).toContain(
      '"in/STRASSE": some stores',
    );
  });

  test('does not mind an object above its destination where keys are no paths', async () => {
    await bed.put('raw', 'in/a');
    await bed.put('lake', 'out');
    expect((await bed.plan()).index.toCopy).toBe(1);
  });

  test('that is refused leaves no listing under way', async () => {
    await bed.put('raw', 'in/a');
    bed.double.setFaults([
      { kind: 'stall', operation: 'ListObjectsV2', bucket: 'lake' },
      { kind: 'answer', operation: 'PutObject', status: 403, code: 'AccessDenied' },
    ]);
    const requests = vi.spyOn(bed.client, 'request');
    expect((await refusal({})).message).toContain('denied PutObject on bucket lake');
    const listings = requests.mock.calls.filter(
      ([{ operation, bucket }]) => operation === 'ListObjectsV2' && bucket === 'lake',
    );
    expect(listings.map(([, , listing]) => listing.aborted)).toEqual([true]);
  });

  test('that is refused while something else of the store hangs is refused at once, and leaves nothing there', async () => {
    await bed.put('raw', 'in/a');
    bed.double.setFaults([
      { kind: 'stall', operation: 'HeadObject' },
      { kind: 'answer', operation: 'CopyObject', status: 403, code: 'AccessDenied' },
    ]);
    expect((await refusal({ mode: 'Move' })).message).toContain('denied CopyObject on bucket lake');
    expect(bed.double.store.bucket('lake').keys).toEqual([]);
  });

  test('that cannot be listed to the end is no plan', async () => {
    for (let n = 0; n < 5; n += 1) await bed.put('raw', `in/${n}`);
    bed.double.setFaults([{ kind: 'truncate', operation: 'ListObjectsV2' }]);
    await expect(bed.plan()).rejects.toThrow(/goes on failing/);
  });
});

describe('a dry run', () => {
  test('says what would be done and writes nothing to the destination', async () => {
    for (let n = 0; n < 25; n += 1) await bed.put('raw', `in/${String(n).padStart(2, '0')}`, 'x'.repeat(n));
    await bed.put('lake', 'out/n-24', 'x'.repeat(24));
    bed.double.recording = true;
    const rename = [{ match: '^(?<n>.*)$', replace: 'n-{n}' }];
    await bed.plan({ dryRun: true, mode: 'Move', rename });
    expect(new Set(bed.double.seen.map((line) => line.split(' ')[0]))).toEqual(new Set(['ListObjectsV2']));
    const report = await bed.report();
    expect(report).toMatchObject({
      keyEquivalence: 'Exact',
      assumed: true,
      listed: 25,
      rows: 25,
      toCopy: 24,
      skipped: 1,
      renamed: 25,
      bytes: (23 * 24) / 2,
      requests: { list: 2, copy: 24, head: 25, delete: 25, put: 0 },
      problems: { total: 0, first: [] },
    });
    expect(report.renames).toHaveLength(10);
    expect(report.renames[0]).toEqual({ source: 'in/00', destination: 'out/n-00' });
  });

  test('that is refused names its problems in the report as well', async () => {
    for (let n = 0; n < 15; n += 1) await bed.put('raw', `in/${n}`);
    const { message } = await refusal({ ...onlyOne, dryRun: true });
    const report = await bed.report();
    expect(report.problems.total).toBe(14);
    expect(report.problems.first).toHaveLength(10);
    expect(message).toContain(report.problems.first[0]);
    expect(report).toMatchObject({ listed: 15, rows: 15, toCopy: 15 });
  });
});

describe('a plan from a list of keys', () => {
  const source = {
    store: 'lake',
    bucket: 'raw',
    prefix: 'in/',
    keyList: { bucket: 'lists', key: 'today' },
  };
  const list = (body: string | Buffer) => bed.put('lists', 'today', body);

  test('has the objects that the list names, each once, in its order', async () => {
    for (const key of ['a', 'b', 'c', 'é " 😀']) await bed.put('raw', `in/${key}`);
    await list('in/c\nin/a\n\nin/é " 😀\nin/c\nin/a');
    const { index, rows } = await bed.plan({}, { source });
    expect(rows.map((row) => [row.source, row.size])).toEqual([
      ['in/c', 4],
      ['in/a', 4],
      ['in/é " 😀', 12],
    ]);
    expect(index).toMatchObject({ listed: 3, toCopy: 3 });
  });

  test('names the lines whose objects are missing, all counted', async () => {
    await bed.put('raw', 'in/1');
    await list(Array.from({ length: 15 }, (_, n) => `in/${n}\n`).join(''));
    const { message, problems } = await refusal({}, { source });
    expect(problems).toBe(14);
    expect(message).toContain('line 1 of the key list: "in/0" does not exist in bucket raw');
    expect(message).toContain('line 11 of the key list: "in/10" does not exist');
    expect(message).not.toContain('line 12 ');
  });

  test.each([
    ['a line end of Windows', 'in/a\r\nin/b\r\n', 2, 'line 1 of the key list ends with a carriage return'],
    ['a byte order mark', '\ufeffin/a\n', 1, 'line 1 of the key list starts with a byte order mark'],
    ['no UTF-8', Buffer.from([0x69, 0x6e, 0x2f, 0xff, 0x0a]), 1, 'line 1 of the key list is not UTF-8'],
    ['an endless line', `\nin/${'x'.repeat(100_000)}\nin/a`, 1, 'line 2 of the key list has more than 1024'],
    ['another prefix', 'in/a\nout/b\n', 1, '"out/b", which is not under copy.source.prefix "in/"'],
  ])('refuses %s', async (_, body, problems, message) => {
    await bed.put('raw', 'in/a');
    await list(body);
    const refused = await refusal({}, { source });
    expect(refused.message).toContain(message);
    expect(refused.problems).toBe(problems);
  });

  test('of a list that is not there, or empty, says so', async () => {
    expect((await refusal({}, { source })).message).toContain(
      'key list "today" does not exist in bucket lists',
    );
    await list('\n');
    expect((await refusal({}, { source })).message).toContain('there are 0 objects under prefix "in/"');
  });

  test('proves collisions as any other', async () => {
    for (const key of ['a', 'b']) await bed.put('raw', `in/${key}`);
    await list('in/a\nin/b\n');
    expect((await refusal(onlyOne, { source })).message).toContain('would both become "out/one"');
  });
});
