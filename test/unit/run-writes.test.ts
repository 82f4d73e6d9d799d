/** What a run costs the API server: every write request of the operator, counted in the simulation. */
import { expect, test } from 'vitest';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import type { PipelineRunStatus } from '../../operator/api/status.ts';
import { difference } from '../../operator/pipelinerun/status.ts';
import { Scenario } from '../support/simulation/scenario.ts';

const container = { image: 'busybox:1', command: ['true'] };
const spec: PipelineRunSpec = {
  stages: [
    { name: 'first', container },
    { name: 'second', dependsOn: ['first'], container },
  ],
};

/** Writes that only a machine needs that lets an open state stand for longer than a second. */
function slowWrites(seen: readonly PipelineRunStatus[]): number {
  return seen.filter((status, at) => difference(seen[at - 1], status) === 'soft').length;
}

test('a run of two stages costs 11 writes, the Event among them, when no state stands for a second', async () => {
  const scenario = new Scenario({ spec, script: () => ({ exitCode: 0 }) });
  await scenario.start();
  const life = scenario.live();
  await scenario.turn(life);
  await life.stop();
  await scenario.stop();
  const writes = scenario.api.requests.filter(({ method }) => method !== 'GET');
  const [, ...seen] = scenario.seen;
  const list = writes.map(({ method, path }) => `${method} ${path}`).join('\n');
  expect(writes.length + life.events.length - slowWrites(seen), list).toBe(11);
  expect(life.events).toHaveLength(1);
});
