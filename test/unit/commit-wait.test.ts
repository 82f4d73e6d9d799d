/** A record that gets no place in time is judged all the same: with a store that hangs, hundreds of runs wait for one. */
import { expect, test } from 'vitest';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { Store } from '../../operator/kube/store.ts';
import { tryCommit } from '../../operator/pipelinerun/commit.ts';
import { CommitPlaces } from '../../operator/pipelinerun/commitplaces.ts';
import { pipelineRuns, type PipelineRunObject } from '../../operator/pipelinerun/resource.ts';
import { planStored } from '../../operator/pipelinerun/stored.ts';
import { observedOf } from '../support/plan/observed.ts';
import { decidedRun } from '../support/results/runs.ts';

const settings = { commitTimeoutSeconds: 3600 };

test('the time for a record ends also while it waits for its place', async () => {
  const run = decidedRun();
  const decided = Date.parse(run.status?.outcome?.time ?? '');
  const end = new Date(decided + settings.commitTimeoutSeconds * 1000);
  const plan = {
    actions: [],
    status: {
      ...run.status,
      conditions: [
        {
          type: 'Succeeded' as const,
          status: 'Unknown' as const,
          reason: 'Committing',
          message: '',
          observedGeneration: 1,
          lastTransitionTime: '2026-01-02T03:04:05Z',
        },
      ],
    },
    events: [],
    waitingFor: [],
    commit: { discrepancies: [] },
  };
  // Nothing is asked of it.
  const access = { server: 'http://127.0.0.1:1', namespace: '', authorization: async () => undefined };
  const client = createKubeClient({ access, userAgent: 'test/0' });
  const places = new CommitPlaces({ all: 1, namespace: 1, deleting: 1 });
  const hanging = Promise.withResolvers<void>();
  const never = new AbortController().signal;
  const holding = places.run(
    { namespace: run.metadata.namespace, deleting: false },
    () => hanging.promise,
    never,
  );
  const committed: string[] = [];
  const deps = {
    client,
    runs: new Store<PipelineRunObject>({ resource: pipelineRuns }),
    results: {
      commit: async () => {
        committed.push(run.metadata.name);
        throw new Error('nobody has let it begin');
      },
    },
    commits: { places },
    settings,
    // A moment before the end of the time.
    clock: { now: () => new Date(end.getTime() - 1) },
  };
  const stored = await tryCommit('team/nightly', observedOf(run), plan, deps, silentLogger, never);
  expect(stored).toEqual({ ok: false, message: 'the records of other runs were not stored in time' });
  expect(committed).toEqual([]);
  if (stored === undefined) throw new Error('no answer');
  const after = planStored(observedOf(run), plan, stored, settings, end, 0);
  expect(after.status.completionTime).toBeDefined();
  hanging.resolve();
  await holding;
  await client.close();
});
