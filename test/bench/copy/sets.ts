import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Client } from '../../../workers/s3/client.ts';
import { putObject } from '../../../workers/s3/objects.ts';
import { listAll } from '../../support/copybed.ts';
import type { Gateway } from '../../support/versitygw.ts';
import type { Contender } from './contenders.ts';
import { measure, type Measured } from './measure.ts';
import { contenderNames, type ContenderName, figuresOf, type SetResult } from './rows.ts';

/** So many objects of one size. */
export interface ObjectSet {
  readonly name: string;
  readonly objects: number;
  /** Bytes. */
  readonly size: number;
}

export interface SetBed {
  readonly gateway: Gateway;
  readonly client: S3Client;
  readonly contenders: readonly Contender[];
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Copies a set with every program in turn, `rounds` times, into an empty bucket each time, from and to one server. A copy counts
 * only when the destination lists the same keys with the same sizes and sums. Nothing of it is left.
 */
export async function benchSet(bed: SetBed, set: ObjectSet, rounds: number): Promise<SetResult> {
  const { gateway, say } = bed;
  const [from, to] = ['bench-from', 'bench-to'];
  await gateway.createBucket(from);
  say(`${set.name}: making ${set.objects} objects`);
  await makeObjects(bed, from, set);
  const taken: Record<ContenderName, Measured[]> = { ebbflow: [], s5cmd: [], rclone: [] };
  try {
    for (let round = 1; round <= rounds; round += 1) {
      for (const contender of bed.contenders) {
        await gateway.createBucket(to);
        const measured = await copyOnce(bed, contender, from, to);
        taken[contender.name].push(measured);
        await rm(join(gateway.root, to), { recursive: true });
        const rate = Math.round(set.objects / measured.seconds);
        const cpu = ((measured.cpuSeconds * 1000) / set.objects).toFixed(3);
        say(`${set.name}, ${round} of ${rounds}: ${contender.name} ${rate} objects/s, ${cpu} ms CPU each`);
      }
    }
  } finally {
    for (const bucket of [from, to]) await rm(join(gateway.root, bucket), { recursive: true, force: true });
  }
  const figures = (name: ContenderName) => figuresOf(taken[name], set.objects);
  const [ebbflow, s5cmd, rclone] = contenderNames.map(figures);
  if (ebbflow === undefined || s5cmd === undefined || rclone === undefined) throw new Error('no figures');
  return { set: set.name, objects: set.objects, size: set.size, of: { ebbflow, s5cmd, rclone } };
}

async function copyOnce(bed: SetBed, contender: Contender, from: string, to: string): Promise<Measured> {
  const scratch = await mkdtemp(join(bed.folder, `${contender.name}-`));
  const measured = await measure(contender.command(bed.gateway, from, to, scratch), bed.signal);
  await rm(scratch, { recursive: true });
  const wanted = await listAll(bed.client, from);
  const found = new Map((await listAll(bed.client, to)).map((object) => [object.key, object]));
  const wrong = wanted.filter(({ key, size, etag }) => {
    const copy = found.get(key);
    return copy === undefined || copy.size !== size || copy.etag !== etag;
  });
  if (wrong.length > 0 || found.size !== wanted.length) {
    const what = `${wrong.length} of ${wanted.length} objects are not what they should be`;
    throw new Error(`${contender.name} says that it is done, but ${what}, and there are ${found.size}`);
  }
  return measured;
}

async function makeObjects({ client, signal }: SetBed, bucket: string, set: ObjectSet): Promise<void> {
  let next = 0;
  const put = async (): Promise<void> => {
    const body = Buffer.alloc(set.size, 'ebbflow ');
    for (let number = next++; number < set.objects; number = next++) {
      body.writeUInt32LE(number);
      const key = `d${String(number % 100).padStart(2, '0')}/object-${String(number).padStart(9, '0')}`;
      await putObject(client, { bucket, key, body }, signal);
    }
  };
  await Promise.all(Array.from({ length: set.size > 16 * 1024 ** 2 ? 1 : 8 }, put));
}

/** A directory of its own for everything that the programs keep. */
export async function makeFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  return mkdtemp(join(parent, 'ebbflow-bench-'));
}
