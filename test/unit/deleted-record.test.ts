/** A run that is deleted keeps its record, also when one of its logs cannot be read in the short time that is left. */
import { expect, test } from 'vitest';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { Store } from '../../operator/kube/store.ts';
import { tryCommit } from '../../operator/pipelinerun/commit.ts';
import { Commits } from '../../operator/pipelinerun/commits.ts';
import { DELETION_COMMIT_MS } from '../../operator/pipelinerun/deletion.ts';
import { pipelineRuns, type PipelineRunObject } from '../../operator/pipelinerun/resource.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';
import { FakeApi } from '../support/fakeapi/server.ts';
import { observedOf } from '../support/plan/observed.ts';
import { attemptRef, FakeContainerLog, podOf } from '../support/results/fakepods.ts';
import { MemoryStore } from '../support/results/memorystore.ts';
import { commitWaits, createService, decidedRun } from '../support/results/runs.ts';

test('a kubelet that does not answer costs its log a gap, not the run its record', async () => {
  const api = new FakeApi();
  await api.start();
  api.world.put('/api/v1/namespaces/team', { metadata: { name: 'team' } });
  const client = createKubeClient({ access: api.access, userAgent: 'test/0' });
  const clock = new ManualClock();
  const log = new FakeContainerLog();
  log.answerMs = 60_000;
  // Whoever is not in a hurry would wait for longer than a deleted run has.
  const store = new MemoryStore();
  const results = createService(store, (options) => log.read(options), 60_000, clock);
  const ref = attemptRef();
  results.logs.observe(ref, podOf(ref, 'Failed', { main: 137 }));

  const decided = decidedRun();
  const run = { ...decided, metadata: { ...decided.metadata, deletionTimestamp: '2026-01-02T03:05:00Z' } };
  const plan = {
    actions: [],
    status: { ...run.status },
    events: [],
    waitingFor: [],
    commit: { discrepancies: [] },
  };
  const deps = {
    client,
    runs: new Store<PipelineRunObject>({ resource: pipelineRuns }),
    results,
    commits: new Commits(() => undefined),
    settings: { commitTimeoutSeconds: 3600 },
    clock,
  };
  const signal = AbortSignal.timeout(60_000);
  const waiting = commitWaits(store, ref);
  const storing = tryCommit('team/nightly', observedOf(run), plan, deps, silentLogger, signal);
  await waiting;
  await clock.advance(DELETION_COMMIT_MS);
  expect(await storing).toMatchObject({ ok: true, logsComplete: false });

  await results.stop();
  await client.close();
  await api.stop();
});
