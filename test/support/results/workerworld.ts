/** Pods, Jobs, runs and tokens around a worker API, as an API server would have them. */
import type { PipelineRun } from '../../../operator/api/types.ts';
import { jobName } from '../../../operator/api/names.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import type { Logger, LogFields } from '../../../operator/kube/logger.ts';
import type { Job, Pod, TokenReviewStatus } from '../../../operator/kube/types.ts';
import { attemptLabels, ownerOf } from '../../../operator/pipelinerun/ours.ts';
import type { WorkerApiDeps, WorkerCaller } from '../../../operator/workerapi/types.ts';
import type { WorkerManifest } from '../../../workers/contract/manifests.ts';
import type { ProgressRequest } from '../../../workers/contract/workerapi.ts';
import { uid } from './fakepods.ts';
import { MemoryStore } from './memorystore.ts';
import { CLUSTER, decidedRun } from './runs.ts';

/** A token as they look; `claims` end up in it, its signature means nothing here. */
export function fakeToken(subject: string, expiresInSeconds = 600): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + expiresInSeconds;
  return `${part({ alg: 'RS256' })}.${part({ sub: subject, exp })}.${Buffer.from(subject).toString('base64url')}`;
}

export interface WorkerWorld {
  deps: WorkerApiDeps;
  store: MemoryStore;
  run: PipelineRun;
  pod: Pod;
  job: Job;
  /** A token of the pod, and what the server says about each token. */
  token: string;
  reviews: Map<string, TokenReviewStatus>;
  asked: { token: string; audiences: readonly string[] }[];
  reported: { caller: WorkerCaller; manifest: WorkerManifest }[];
  planned: { caller: WorkerCaller; workers: number }[];
  progressed: { caller: WorkerCaller; progress: ProgressRequest }[];
  admittedPods: string[];
  fenced: Set<string>;
  logged: string[];
}

export function reviewOf(pod: Pod): TokenReviewStatus {
  return {
    authenticated: true,
    audiences: ['ebbflow'],
    user: {
      username: `system:serviceaccount:${pod.metadata.namespace}:default`,
      extra: {
        'authentication.kubernetes.io/pod-name': [pod.metadata.name ?? ''],
        'authentication.kubernetes.io/pod-uid': [pod.metadata.uid ?? ''],
      },
    },
  };
}

/** One train worker of the run `nightly`, with its token. Tests bend what they get. */
export function createWorld(): WorkerWorld {
  const run = decidedRun();
  const labels = attemptLabels(run, 'train', 1);
  const theName = jobName(run.metadata, 'train', 1);
  const job: Job = {
    metadata: {
      name: theName,
      namespace: 'team',
      uid: uid(50),
      labels,
      ownerReferences: [ownerOf(run)],
    },
    spec: { template: { metadata: { labels }, spec: { containers: [] } } },
  };
  const pod: Pod = {
    metadata: {
      name: 'nightly-train-1-abc-0-xyz',
      namespace: 'team',
      uid: uid(100),
      annotations: { 'batch.kubernetes.io/job-completion-index': '0' },
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'Job', name: theName, uid: uid(50), controller: true },
      ],
    },
    spec: { containers: [], nodeName: 'node-1' },
  };
  const token = fakeToken('nightly-train');
  const store = new MemoryStore();
  const logged: string[] = [];
  const write = (fields: LogFields, message: string): void => {
    logged.push(`${message} ${JSON.stringify(fields)}`);
  };
  const log: Logger = { debug: write, info: write, warn: write, error: write, child: () => log };
  const world: Omit<WorkerWorld, 'deps'> = {
    store,
    run,
    pod,
    job,
    token,
    reviews: new Map([[token, reviewOf(pod)]]),
    asked: [],
    reported: [],
    planned: [],
    progressed: [],
    admittedPods: [],
    fenced: new Set(),
    logged,
  };
  const deps: WorkerApiDeps = {
    tokenReview: async (asked, audiences) => {
      world.asked.push({ token: asked, audiences });
      return world.reviews.get(asked) ?? { authenticated: false };
    },
    pods: { cached: () => undefined, fetch: async (namespace, name) => find(world.pod, namespace, name) },
    jobs: { cached: (namespace, name) => find(world.job, namespace, name), fetch: async () => undefined },
    run: (wanted) => (wanted === world.run.metadata.uid ? world.run : undefined),
    store,
    cluster: CLUSTER,
    admit: async ({ podUID }) => {
      if (world.admittedPods.length === 0) world.admittedPods.push(podUID);
      return { admitted: world.admittedPods[0] === podUID };
    },
    reported: (caller, manifest) => {
      world.reported.push({ caller, manifest });
    },
    planned: (caller, workers) => {
      world.planned.push({ caller, workers });
    },
    progressed: (caller, progress) => {
      world.progressed.push({ caller, progress });
    },
    fenced: (podUID) => world.fenced.has(podUID),
    clock: systemClock,
    log,
  };
  // The same object, so that what a test puts in is what the parts see.
  return Object.assign(world, { deps });
}

function find<T extends Pod | Job>(object: T, namespace: string, name: string): T | undefined {
  return object.metadata.namespace === namespace && object.metadata.name === name ? object : undefined;
}
