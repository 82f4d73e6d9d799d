/** `nodes.json` outlives a store that refuses for a while, and never replaces a better one. */
import { expect, test } from 'vitest';
import { silentLogger } from '../../operator/kube/logger.ts';
import type { NodesRecord } from '../../operator/nodes/record.ts';
import { NodesWriter } from '../../operator/pipelinerun/nodeswriter.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';
import { MemoryStore } from '../support/results/memorystore.ts';
import { createService } from '../support/results/runs.ts';

const record = (launched: number): NodesRecord => ({
  version: 1,
  runUID: 'u1',
  nodes: [],
  launched,
  nodeSeconds: 9,
});

function world() {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const results = createService(store, async function* () {
    // No logs.
  });
  const writer = new NodesWriter({ results, clock, log: silentLogger, random: () => 0.5 });
  const stored = (): unknown => {
    const key = [...store.objects.keys()].find((name) => name.endsWith('/nodes.json'));
    return key === undefined ? undefined : store.json(key);
  };
  return { store, clock, writer, stored };
}

test('a store that refuses for a while gets it in the end', async () => {
  const { store, clock, writer, stored } = world();
  store.refusing = true;
  const writing = writer.write('team', record(2), false);
  await clock.advance(20 * 60_000);
  expect(stored()).toBeUndefined();
  store.refusing = false;
  await clock.advance(60_000);
  await writing;
  expect(stored()).toMatchObject({ launched: 2 });
});

test('a store that never takes it is given up, and nothing is left waiting', async () => {
  const { store, clock, writer, stored } = world();
  store.refusing = true;
  const writing = writer.write('team', record(2), false);
  await clock.advance(31 * 60_000);
  await writing;
  expect(clock.pending).toBe(0);
  expect(stored()).toBeUndefined();
});

test('figures that are only a lower bound do not replace a record', async () => {
  const { writer, stored } = world();
  await writer.write('team', record(2), false);
  await writer.write('team', record(1), true);
  expect(stored()).toMatchObject({ launched: 2 });
});

test('a stop ends the waiting', async () => {
  const { store, clock, writer } = world();
  store.refusing = true;
  const writing = writer.write('team', record(2), false);
  await clock.advance(60_000);
  writer.stop();
  await writing;
  expect(clock.pending).toBe(0);
});
