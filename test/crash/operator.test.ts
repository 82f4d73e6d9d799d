/**
 * The operator dies after each of its effects in turn; a new one starts and finishes the run. Whatever the moment, the
 * world ends the same and the invariants of the design hold.
 */
import { describe, expect, test } from 'vitest';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import type { StageStatus } from '../../operator/api/status.ts';
import { fieldsOf, isTrue } from '../support/simulation/fields.ts';
import type { Ending, ScriptedPod } from '../support/simulation/kubernetes.ts';
import { Scenario } from '../support/simulation/scenario.ts';

const container = { image: 'busybox:1', command: ['true'] };
const copy = { source: { bucket: 'raw' }, destination: { bucket: 'lake' } };
const twoStages: PipelineRunSpec = {
  stages: [
    { name: 'first', container },
    { name: 'second', dependsOn: ['first'], container },
  ],
};

interface Case {
  name: string;
  spec: PipelineRunSpec;
  /** The end of a pod's command, given what the status says about its stage. */
  script: (pod: ScriptedPod, seen: StageStatus | undefined) => Ending;
  /** Workers that the plan of stage `arrange` has shards for. */
  planned?: number;
  result: string;
  /** Jobs that the run may create, no more and no fewer. */
  jobs: number;
}

const cases: Case[] = [
  {
    name: 'two stages that succeed',
    spec: twoStages,
    script: () => ({ exitCode: 0 }),
    result: 'Succeeded',
    jobs: 2,
  },
  {
    name: 'a first stage that fails',
    spec: twoStages,
    script: () => ({ exitCode: 3 }),
    result: 'Failed',
    jobs: 1,
  },
  {
    name: 'a stage that succeeds at its third attempt',
    spec: { stages: [{ name: 'flaky', retry: { failures: 2 }, container }] },
    script: ({ attempt }) => ({ exitCode: attempt < 3 ? 1 : 0 }),
    result: 'Succeeded',
    jobs: 3,
  },
  {
    name: 'a stage whose retries are used up',
    spec: { stages: [{ name: 'hopeless', retry: { failures: 1 }, container }] },
    script: () => ({ exitCode: 1 }),
    result: 'Failed',
    jobs: 2,
  },
  {
    name: 'a stage whose Job somebody deletes while it runs',
    spec: { stages: [{ name: 'bereft', container }] },
    // People delete what they see.
    script: ({ attempt }, seen) =>
      attempt > 1 ? { exitCode: 0 } : seen?.attempt === undefined ? 'hang' : 'deleted',
    result: 'Succeeded',
    jobs: 2,
  },
  {
    name: 'a copy that gets more workers when it is planned',
    spec: {
      stores: [{ name: 'lake', endpoint: 'http://127.0.0.1:1' }],
      stages: [{ name: 'arrange', workers: 4, copy }],
    },
    // Worker 0 does not end before there are the others.
    script: ({ workers }) => (workers < 3 ? 'hang' : { exitCode: 0 }),
    planned: 3,
    result: 'Succeeded',
    jobs: 1,
  },
  {
    name: 'a copy with many workers whose Job somebody deletes',
    spec: {
      stores: [{ name: 'lake', endpoint: 'http://127.0.0.1:1' }],
      stages: [{ name: 'arrange', workers: 4, copy }],
    },
    script: ({ index, workers, attempt }, seen) => {
      if (workers < 3) return 'hang';
      if (attempt > 1 || index > 0) return { exitCode: 0 };
      return seen?.attempt === undefined ? 'hang' : 'deleted';
    },
    planned: 3,
    result: 'Succeeded',
    jobs: 2,
  },
];

/** How the world ended, without times and identities. */
function ending(scenario: Scenario): unknown {
  const { outcome, stages, conditions } = scenario.status;
  return {
    outcome: outcome && { result: outcome.result, reason: outcome.reason },
    stages: stages?.map(({ name, state, attempt, failures, disruptions, workers }) => ({
      name,
      state,
      attempt,
      failures: failures ?? 0,
      disruptions: disruptions ?? 0,
      wanted: workers?.wanted,
    })),
    conditions: conditions?.map(({ type, status, reason }) => ({ type, status, reason })),
    left: scenario.left,
  };
}

function assertInvariants(scenario: Scenario, expected: Case): void {
  expect(scenario.left).toEqual([]);
  expect(scenario.records.contradictions).toEqual([]);
  expect(scenario.records.byUID.size).toBe(1);
  expect(scenario.simulation.created.length, scenario.simulation.created.join()).toBe(expected.jobs);
  const outcomes = scenario.seen
    .map((status) => fieldsOf(status['outcome'])['result'])
    .filter((result) => result !== undefined);
  expect(new Set(outcomes).size, 'an outcome, once decided, never changes').toBe(1);
}

/** A terminal condition must never have been visible before the record was there. */
function watchTerminal(scenario: Scenario): () => number {
  let early = 0;
  scenario.api.world.onChange(() => {
    const status = scenario.seen.at(-1) ?? {};
    if (isTrue(status, 'Succeeded') && scenario.records.byUID.size === 0) early += 1;
  });
  return () => early;
}

async function play(expected: Case, killAfter?: number): Promise<{ scenario: Scenario; died: boolean }> {
  const scenario: Scenario = new Scenario({
    spec: expected.spec,
    script: (pod) => {
      const seen = scenario.status.stages?.find(({ name }) => name === pod.stage);
      return expected.script(pod, seen);
    },
  });
  if (expected.planned !== undefined) scenario.records.plans.set('arrange', expected.planned);
  const early = watchTerminal(scenario);
  await scenario.start();
  const life = scenario.live(killAfter);
  await scenario.turn(life);
  await life.stop();
  const died = life.kill.signal.aborted;
  if (died) {
    const heir = scenario.live();
    await scenario.turn(heir);
    await heir.stop();
  }
  await scenario.stop();
  expect(early(), 'terminal before the record').toBe(0);
  return { scenario, died };
}

describe.concurrent.each(cases)('$name', (expected) => {
  test('ends the same whichever effect was the last', async () => {
    const calm = await play(expected);
    expect(calm.scenario.status.outcome?.result).toBe(expected.result);
    assertInvariants(calm.scenario, expected);
    // How many effects a life has depends a little on which small changes of status share a write: go on until one survives.
    let deaths = 0;
    for (let died = true; died; deaths += died ? 1 : 0) {
      const crashed = await play(expected, deaths + 1);
      died = crashed.died;
      expect(ending(crashed.scenario), `after effect ${deaths + 1}`).toEqual(ending(calm.scenario));
      assertInvariants(crashed.scenario, expected);
    }
    expect(
      deaths,
      "finalizer, Jobs, status, record, deletion: all of them were somebody's last",
    ).toBeGreaterThanOrEqual(6);
  });
});
