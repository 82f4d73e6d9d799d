/**
 * What an e2e test stands on: the cluster that `npm test` brought up, the operator installed with the chart, a store with
 * buckets, and a few verbs. Tests that break something (nodes, the store, the operator) put it right again.
 */
import { randomUUID } from 'node:crypto';
import type { PipelineRunSpec } from '../../../operator/api/pipelinerun.ts';
import { API_VERSION, FINALIZER, KIND, LABEL } from '../../../operator/api/names.ts';
import type { PipelineRun } from '../../../operator/api/types.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { isNotFound } from '../../../operator/kube/errors.ts';
import { createKubeClient } from '../../../operator/kube/http-client.ts';
import { loadClusterAccess } from '../../../operator/kube/kubeconfig.ts';
import { events, jobs, pods } from '../../../operator/kube/resource.ts';
import type { KubeObject, Pod } from '../../../operator/kube/types.ts';
import { pipelineRuns } from '../../../operator/pipelinerun/resource.ts';
import type { S3Client } from '../../../workers/s3/client.ts';
import { getObject, putObject } from '../../../workers/s3/objects.ts';
import { openCluster } from '../../cluster/cluster.ts';
import type { Cluster } from '../../cluster/types.ts';
import { connectStore, listKeys } from '../../demo/seed.ts';
import { NAMESPACE, RESULTS_BUCKET } from './names.ts';
import { takeTurn } from './turn.ts';

/** Longest time that anything in a test may take before it is called stuck. */
const PATIENCE_MS = 180_000;

export class Bed {
  readonly cluster: Cluster;
  readonly client: KubeClient;
  readonly store: S3Client;
  /** Image of the operator and the workers; it has a shell and coreutils, so stages of tests run in it too. */
  readonly image: string;

  readonly #giveBack: () => void;

  constructor(cluster: Cluster, client: KubeClient, image: string, giveBack: () => void) {
    this.#giveBack = giveBack;
    this.cluster = cluster;
    this.client = client;
    this.image = image;
    this.store = connectStore(cluster.s3);
  }

  /** The store of the cluster as a run names it. */
  get stores(): NonNullable<PipelineRunSpec['stores']> {
    return [
      {
        name: 'lake',
        endpoint: this.cluster.s3.endpoint,
        region: this.cluster.s3.region,
        secretRef: { name: 's3' },
      },
    ];
  }

  /** A stage that runs a shell script in our own image. */
  shell(name: string, script: string, more: object = {}): PipelineRunSpec['stages'][number] {
    return { name, container: { image: this.image, command: ['sh', '-c', script] }, ...more };
  }

  async apply(name: string, spec: PipelineRunSpec, namespace = NAMESPACE): Promise<string> {
    const body = { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace }, spec } as const;
    const created = await this.client.create<KubeObject>(pipelineRuns, namespace, body);
    return created.metadata.uid ?? '';
  }

  async get(name: string, namespace = NAMESPACE): Promise<PipelineRun | undefined> {
    try {
      return await this.client.get(pipelineRuns, namespace, name);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async patch(name: string, spec: object, namespace = NAMESPACE): Promise<void> {
    await this.client.mergePatch(pipelineRuns, namespace, name, { spec });
  }

  async delete(name: string, namespace = NAMESPACE): Promise<void> {
    await this.client.delete(pipelineRuns, namespace, name, { propagationPolicy: 'Background' });
  }

  /** Looks until the run is as wanted; an error shows the last status. */
  async until(
    name: string,
    what: string,
    wanted: (run: PipelineRun) => boolean,
    namespace = NAMESPACE,
  ): Promise<PipelineRun> {
    const end = Date.now() + PATIENCE_MS;
    let last: PipelineRun | undefined;
    while (Date.now() < end) {
      last = await this.get(name, namespace);
      if (last && wanted(last)) return last;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`run ${name} did not become "${what}": ${JSON.stringify(last?.status, null, 1)}`);
  }

  /** The run is terminal, its compute deleted and its finalizer off. */
  async finished(name: string, namespace = NAMESPACE): Promise<PipelineRun> {
    return await this.until(name, 'finished', (run) => isOver(run), namespace);
  }

  async gone(name: string, namespace = NAMESPACE): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    while (await this.get(name, namespace)) {
      if (Date.now() > end)
        throw new Error(`run ${name} is still there: ${JSON.stringify(await this.get(name, namespace))}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async pods(runUID: string, stage?: string): Promise<Pod[]> {
    const selector = `${LABEL.runUID}=${runUID}${stage === undefined ? '' : `,${LABEL.stage}=${stage}`}`;
    return (await this.client.list(pods, undefined, { labelSelector: selector })).items;
  }

  /** Waits until no pod of the run is left. */
  async podsGone(runUID: string): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (let left = await this.pods(runUID); left.length > 0; left = await this.pods(runUID)) {
      if (Date.now() > end) throw new Error(`pods are still there: ${JSON.stringify(left)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Names of everything with the run's label. */
  async left(runUID: string): Promise<string[]> {
    const labelSelector = `${LABEL.runUID}=${runUID}`;
    const found: string[] = [];
    for (const resource of [jobs, pods])
      found.push(
        ...(await this.client.list<KubeObject>(resource, undefined, { labelSelector })).items.map(
          (item) => item.metadata.name ?? '',
        ),
      );
    return found;
  }

  /** Reasons of the Warning events of a run. */
  async warnings(runUID: string): Promise<string[]> {
    const fieldSelector = `involvedObject.uid=${runUID}`;
    const { items } = await this.client.list(events, NAMESPACE, { fieldSelector });
    return items.filter(({ type }) => type === 'Warning').map(({ reason }) => reason ?? '');
  }

  async put(bucket: string, objects: Readonly<Record<string, string>>): Promise<void> {
    for (const [key, text] of Object.entries(objects))
      await putObject(this.store, { bucket, key, body: Buffer.from(text) }, AbortSignal.timeout(30_000));
  }

  async keys(bucket: string, prefix: string): Promise<string[]> {
    return await listKeys(this.store, bucket, prefix, AbortSignal.timeout(30_000));
  }

  async read(bucket: string, key: string): Promise<string | undefined> {
    return (await getObject(this.store, { bucket, key }, AbortSignal.timeout(30_000)))?.toString('utf8');
  }

  /** The documents of a run in the results bucket, by key relative to the run. */
  async results(run: PipelineRun): Promise<string[]> {
    const prefix = (run.status?.results?.location ?? '').replace(`s3://${RESULTS_BUCKET}/`, '');
    return (await this.keys(RESULTS_BUCKET, prefix)).map((key) => key.slice(prefix.length));
  }

  async result(run: PipelineRun, relative: string): Promise<string> {
    const prefix = (run.status?.results?.location ?? '').replace(`s3://${RESULTS_BUCKET}/`, '');
    const text = await this.read(RESULTS_BUCKET, `${prefix}${relative}`);
    if (text === undefined) throw new Error(`there is no ${relative} in the results of ${run.metadata.name}`);
    return text;
  }

  async close(): Promise<void> {
    this.#giveBack();
    await this.client.close();
  }
}

export function isOver(run: PipelineRun): boolean {
  const deleted =
    run.status?.conditions?.some(({ type, status }) => type === 'ResourcesDeleted' && status === 'True') ===
    true;
  return deleted && run.metadata.finalizers?.includes(FINALIZER) !== true;
}

export function conditionOf(
  run: PipelineRun,
  type: string,
): { status: string; reason: string; message: string } | undefined {
  return run.status?.conditions?.find((condition) => condition.type === type);
}

export function stageOf(
  run: PipelineRun,
  name: string,
): NonNullable<NonNullable<PipelineRun['status']>['stages']>[number] | undefined {
  return run.status?.stages?.find((stage) => stage.name === name);
}

/** A name that no other test uses. */
export const unique = (name: string): string => `${name}-${randomUUID().slice(0, 6)}`;

/** `beside`: for what mostly waits and can go on beside another file. All others follow one another. */
export async function openBed({ beside = false } = {}): Promise<Bed> {
  const { EBBFLOW_TEST_CLUSTER: name, EBBFLOW_TEST_IMAGE: image } = process.env;
  if (name === undefined || image === undefined)
    throw new Error(
      'EBBFLOW_TEST_CLUSTER and EBBFLOW_TEST_IMAGE are not set: start this with `npm test -- --only e2e`',
    );
  const cluster = await openCluster(name);
  const access = await loadClusterAccess({ kubeconfig: cluster.kubeconfig });
  const giveBack = beside ? () => undefined : await takeTurn(name);
  return new Bed(cluster, createKubeClient({ access, userAgent: 'ebbflow-e2e/0' }), image, giveBack);
}
