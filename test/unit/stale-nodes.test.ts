/** What a cache says of a node is no reason to kill a pod: the API server itself is asked. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SeenRequest } from '../support/fakeapi/server.ts';
import type { Life } from '../support/simulation/operator.ts';
import { Scenario } from '../support/simulation/scenario.ts';

const NODE = '/api/v1/nodes/node-a';
const container = { image: 'busybox:1', command: ['true'] };

let scenario: Scenario;
let life: Life;
let isLong: boolean;

const readyIs = (status: string): void => {
  const lastTransitionTime = scenario.now().toISOString();
  const node = {
    metadata: { name: 'node-a' },
    status: { conditions: [{ type: 'Ready', status, lastTransitionTime }] },
  };
  scenario.api.world.put(NODE, node);
};
const isStarted = (): boolean =>
  scenario.api.world.list('/api/v1/pods').some((pod) => JSON.stringify(pod).includes('startedAt'));
const isAsked = (): boolean =>
  scenario.api.count(({ method, path }) => method === 'GET' && path === NODE) > 0;

/** Until the operator has found out what its cache of nodes makes it suspect. */
async function suspect(): Promise<void> {
  scenario.advance(61);
  const source = { namespace: 'data', run: 'nightly', runUID: 'x', stage: 'work', index: 0, podUID: 'y' };
  life.controller.facts.progressed(source, { done: 0, total: 0, unit: '' });
  await scenario.turn(life, isAsked);
}

beforeEach(async () => {
  isLong = true;
  scenario = new Scenario({
    spec: { stages: [{ name: 'work', retry: { disruptions: 1 }, container }] },
    script: () => (isLong ? 'hang' : { exitCode: 0 }),
  });
  await scenario.start();
  readyIs('False');
  scenario.api.plan({ on: 'watch', of: '/nodes', fault: { kind: 'silent', after: 0 } });
  life = scenario.live();
  await scenario.turn(life, isStarted);
});

afterEach(async () => {
  await life.stop();
  await scenario.stop();
});

test('a pod on a node that became ready behind a watch that is dead goes on', async () => {
  readyIs('True');
  await suspect();
  isLong = false;
  await scenario.turn(life);
  expect(scenario.status.stages).toMatchObject([{ state: 'Succeeded', attempt: 1 }]);
  expect(scenario.simulation.created).toHaveLength(1);
});

test('a pod on a node that did not is given up', async () => {
  const isGivenUp = ({ method, path }: SeenRequest): boolean =>
    method === 'PATCH' && path.includes('/pods/') && path.endsWith('/status');
  await suspect();
  await scenario.turn(life, () => scenario.api.count(isGivenUp) > 0);
  expect(scenario.api.requests.find(isGivenUp)?.body).toContain('NodeLost');
});
