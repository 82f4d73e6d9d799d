import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { loadClusterAccess } from '../../operator/kube/kubeconfig.ts';
import type { Cluster } from '../cluster/types.ts';
import { countArrived, readNodes, readRecords, sumSeen } from './facts.ts';
import { createSecrets, installChart, resultsBucket } from './install.ts';
import { findLeftovers } from './leftovers.ts';
import { orInterrupted } from './interrupt.ts';
import { examplePath, fitManifest, readExample } from './manifest.ts';
import { type Facts, makeReceipt, type Receipt } from './receipt.ts';
import { readBackLog } from './readback.ts';
import type { Screen } from './screen.ts';
import { connectStore, createBuckets, provideDigits, seedImages } from './seed.ts';
import { applyManifest, type DemoImages } from './setup.ts';
import { RunWatch } from './watch.ts';

const namespace = 'default';
const runName = 'nightly';

/** Milliseconds: for the run itself, for its objects, for the nodes (which are the autoscaler's), for nodes.json. */
const patience = { run: 900_000, objects: 30_000, nodes: 120_000, record: 45_000 };

export interface Stage {
  readonly cluster: Cluster;
  readonly images: DemoImages;
  readonly screen: Screen;
  /** When the command started, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly signal: AbortSignal;
}

/** Installs, seeds, applies, watches to the end and measures. Resolves with the receipt, also of a run that failed. */
export async function performRun({ cluster, images, screen, startedAt, signal }: Stage): Promise<Receipt> {
  const say = (line: string): void => screen.say(line);
  const store = connectStore(cluster.s3);
  const digits = await orInterrupted(provideDigits(say), signal);
  await createBuckets(store, ['raw', 'lake', 'models', resultsBucket], signal);
  await seedImages(store, 'raw', digits, signal);
  say(`Seeded the bucket raw with ${digits.length} images such as ${digits[0]?.key ?? ''}`);
  await orInterrupted(createSecrets(cluster, namespace), signal);
  await orInterrupted(installChart(images.project.reference, cluster, say), signal);

  const access = await loadClusterAccess({ kubeconfig: cluster.kubeconfig });
  const client = createKubeClient({ access, userAgent: 'ebbflow-demo/0.1.0' });
  const watching = new AbortController();
  const watched = AbortSignal.any([watching.signal, signal]);
  try {
    const watch = new RunWatch(client, { namespace, name: runName });
    await orInterrupted(watch.start(watched), signal);
    const manifest = fitManifest(await readExample(), {
      endpoint: cluster.s3.endpoint,
      region: cluster.s3.region,
      trainImage: images.train.reference,
    });
    say(`kubectl apply -f ${examplePath}  (with this cluster's endpoint, region and image)`);
    say('');
    const appliedAt = Date.now();
    await orInterrupted(applyManifest(cluster, manifest), signal);
    const stopShowing = showWhile(watch, appliedAt, screen);
    const gone = await waitForEnd(watch, cluster, signal).finally(stopShowing);
    const runUID = watch.run?.metadata.uid ?? '';
    const records = await readRecords(store, namespace, runUID, signal);
    const found = await countArrived(store, digits, signal);
    const recorded = await readNodes(store, namespace, runUID, patience.record, signal);
    const logs = runUID === '' ? undefined : await readBackLog(cluster, runUID, 'train', say);
    const facts = gather(watch, { appliedAt, startedAt, gone });
    return makeReceipt({
      ...facts,
      copy: {
        objects: undefined,
        renamed: undefined,
        bytes: undefined,
        ...records.copy,
        found,
        seeded: digits.length,
      },
      train: records.train,
      logs: { lines: logs?.lines, last: logs?.last },
      nodes: { ...sumSeen(watch.seenNodes, Date.now()), recorded },
    });
  } finally {
    watching.abort();
    await client.close();
  }
}

/** Redraws on every change and twice a second (clocks go on), at most ten times a second. */
function showWhile(watch: RunWatch, appliedAt: number, screen: Screen): () => void {
  let drawnAt = 0;
  const draw = (): void => {
    drawnAt = Date.now();
    screen.show(watch.view(appliedAt), drawnAt);
  };
  watch.onChange(() => {
    if (!screen.isTerminal || Date.now() - drawnAt >= 100) draw();
  });
  const timer = setInterval(draw, 500);
  return () => {
    clearInterval(timer);
    draw();
    screen.keep();
  };
}

interface Gone {
  readonly objects: number | undefined;
  readonly nodes: number;
  readonly objectsAt: number | undefined;
  readonly nodesAt: number | undefined;
}

/** Waits for the terminal condition, then for every object of the run and every worker node to go. */
async function waitForEnd(watch: RunWatch, cluster: Cluster, signal: AbortSignal): Promise<Gone> {
  const isOver = (): boolean =>
    watch.run?.status?.conditions?.some(({ type, status }) => type === 'Succeeded' && status !== 'Unknown') ??
    false;
  await watch.until(isOver, patience.run, signal);
  await watch.until(() => watch.childrenGoneAt !== undefined, patience.objects, signal);
  const objectsAt = watch.childrenGoneAt;
  let objects: number | undefined;
  for (let tries = 0; tries < 10 && objects !== 0; tries++) {
    if (tries > 0) await sleep(1000, undefined, { signal });
    objects = (await orInterrupted(findLeftovers(cluster, watch.run?.metadata.uid ?? ''), signal)).length;
  }
  const left = (): number => watch.seenNodes.filter(({ goneAt }) => goneAt === undefined).length;
  await watch.until(() => left() === 0, patience.nodes, signal);
  const nodesAt = Math.max(0, ...watch.seenNodes.map(({ goneAt }) => goneAt ?? 0));
  return { objects, nodes: left(), objectsAt, nodesAt: left() === 0 && nodesAt > 0 ? nodesAt : undefined };
}

function gather(
  watch: RunWatch,
  { appliedAt, startedAt, gone }: { appliedAt: number; startedAt: number; gone: Gone },
): Omit<Facts, 'copy' | 'train' | 'nodes' | 'logs'> {
  const seconds = (from: number | undefined, to: number | undefined): number | undefined =>
    from === undefined || to === undefined ? undefined : Math.round((to - from) / 100) / 10;
  const status = watch.run?.status;
  const { objectsAt, nodesAt } = gone;
  const nothingLeftAt =
    objectsAt === undefined || nodesAt === undefined ? undefined : Math.max(objectsAt, nodesAt);
  return {
    run: { namespace, name: runName, result: status?.outcome?.result },
    stages: (status?.stages ?? []).map(({ name, state, startTime, completionTime }) => ({
      name,
      state,
      seconds: startTime && completionTime ? (Date.parse(completionTime) - Date.parse(startTime)) / 1000 : -1,
    })),
    left: { objects: gone.objects, nodes: gone.nodes },
    seconds: {
      applyToFirstWorkerLine: seconds(appliedAt, watch.taps.firstLineAt),
      lastExitToObjectsGone: seconds(watch.lastExitAt, objectsAt),
      lastExitToNothingLeft: seconds(watch.lastExitAt, nothingLeftAt),
      setup: seconds(startedAt, appliedAt),
      run: seconds(appliedAt, nothingLeftAt),
      total: seconds(startedAt, Date.now()),
    },
    results: { uid: watch.run?.metadata.uid, location: status?.results?.location },
  };
}

export async function writeReceipt(file: string, receipt: Receipt): Promise<void> {
  await writeFile(file, `${JSON.stringify(receipt, null, 2)}\n`);
}

/** How to look at a cluster that was kept. */
export function describeKept(cluster: Cluster, name: string, receipt: Receipt): string[] {
  return [
    '',
    `The cluster stays (at most 4 hours). Look at it:`,
    `  eval "$(npm run --silent cluster -- env --name ${name})"`,
    `  kubectl get ebb --all-namespaces; kubectl describe ebb ${runName}`,
    `  npm run --silent ebbflow -- results show ${receipt.results.uid}`,
    `  npm run --silent ebbflow -- logs ${receipt.results.uid} --stage train`,
    `  store ${cluster.s3.endpoint}: buckets raw, lake, models, ${resultsBucket}`,
    `Take it down:  npm run cluster -- down --name ${name}`,
  ];
}
