import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { NODES_RECORD, RUN_RECORD, runPrefix } from '../../workers/contract/keys.ts';
import { runRecord } from '../../workers/contract/manifests.ts';
import type { S3Client } from '../../workers/s3/client.ts';
import { type InputImage, SOURCE_PREFIX } from './digits.ts';
import { clusterName, resultsBucket } from './install.ts';
import type { SeenNode } from './live.ts';
import type { Facts, Figures } from './receipt.ts';
import { listKeys, readJson } from './seed.ts';

const metrics = z.object({ accuracy: z.number(), heldOut: z.int(), images: z.int() });
const nodesRecord = z.object({ launched: z.int(), nodeSeconds: z.number() });

/** The name that the example's rename rule is to give a seeded key: said again here, not taken from the manifest. */
export function expectedKey(key: string): string {
  const [day = '', file = ''] = key.slice(SOURCE_PREFIX.length).split('/');
  const [, number = '', label = ''] = file.replace('.png', '').split('_');
  return `digits/label=${label}/${day}-${number}.png`;
}

/** Nodes and their seconds as the demo's own watch saw them. */
export function sumSeen(nodes: readonly SeenNode[], now: number): Figures {
  const total = nodes.reduce((sum, node) => sum + ((node.goneAt ?? now) - node.createdAt), 0);
  return { launched: nodes.length, nodeSeconds: Math.round(total / 1000) };
}

/** What the destination bucket itself lists of the seeded images, under their new names. */
export async function countArrived(
  store: S3Client,
  images: readonly InputImage[],
  signal: AbortSignal,
): Promise<number> {
  const listed = new Set(await listKeys(store, 'lake', 'digits/', signal));
  return images.filter(({ key }) => listed.has(expectedKey(key))).length;
}

/** What the run left in the stores: its record and the model's metrics. Fields are undefined where there is nothing. */
export async function readRecords(
  store: S3Client,
  namespace: string,
  runUID: string,
  signal: AbortSignal,
): Promise<Pick<Facts, 'train'> & { copy: { objects?: number; renamed?: number; bytes?: number } }> {
  const prefix = runPrefix({ cluster: clusterName, namespace, runUID });
  const record = runRecord.safeParse(await readJson(store, resultsBucket, prefix + RUN_RECORD, signal));
  const copy = record.data?.stages.find(({ kind }) => kind === 'copy')?.copy;
  const read = metrics.safeParse(await readJson(store, 'models', `digits/${runUID}/metrics.json`, signal));
  return {
    copy: copy === undefined ? {} : { objects: copy.copied, renamed: copy.renamed, bytes: copy.bytes },
    train: {
      accuracy: read.data?.accuracy,
      heldOut: read.data?.heldOut,
      images: read.data?.images,
    },
  };
}

/** The operator's final node figures; it writes them once the last node is gone. */
export async function readNodes(
  store: S3Client,
  namespace: string,
  runUID: string,
  patienceMs: number,
  signal: AbortSignal,
): Promise<Figures | null> {
  const key = runPrefix({ cluster: clusterName, namespace, runUID }) + NODES_RECORD;
  for (const end = Date.now() + patienceMs; ; await sleep(500, undefined, { signal })) {
    const found = nodesRecord.safeParse(await readJson(store, resultsBucket, key, signal));
    if (found.success) return found.data;
    if (Date.now() > end) return null;
  }
}
