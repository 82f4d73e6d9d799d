import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashContents } from '../cluster/hashing.ts';
import { identify, identifySelf, isAlive, signal } from '../cluster/identity.ts';
import { tryLock, unlock, withLock } from '../cluster/lock.ts';
import { type ClusterState, reasonToEnd } from '../cluster/state.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cluster-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The identity of a process that has just ended. */
async function deadProcess() {
  const child = spawn('sleep', ['60']);
  const identity = identify(child.pid ?? 0);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  if (identity === undefined) throw new Error('it ran');
  return identity;
}

describe('the identity of a process', () => {
  it('is not that of a later one with the same number', () => {
    const self = identifySelf();
    const earlier = { ...self, startTicks: '1' };
    expect([isAlive(self), isAlive(earlier), isAlive({ ...self, bootId: 'another' })]).toEqual([
      true,
      false,
      false,
    ]);
    expect(signal(earlier, 'SIGKILL')).toBe(false); // or this test would not come to its end
  });

  it('dies with it', async () => {
    expect(isAlive(await deadProcess())).toBe(false);
  });
});

describe('a lock', () => {
  it('is held by one, and free again afterwards', () => {
    const file = join(folder, 'lock');
    expect([tryLock(file), tryLock(file)]).toEqual([true, false]);
    unlock(file);
    expect(tryLock(file)).toBe(true);
  });

  it('is not kept by a holder that was killed, nor by a broken file', async () => {
    const file = join(folder, 'lock');
    writeFileSync(file, JSON.stringify(await deadProcess()));
    expect(tryLock(file)).toBe(true);
    writeFileSync(file, '{"pid":');
    expect(tryLock(file)).toBe(true);
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  it('lets one work at a time', async () => {
    let [running, most] = [0, 0];
    const work = async () => {
      running++;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
    };
    await Promise.all([1, 2, 3].map(() => withLock(join(folder, 'lock'), work)));
    expect(most).toBe(1);
  });

  it('is given back when the work fails', async () => {
    const file = join(folder, 'lock');
    await expect(withLock(file, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(tryLock(file)).toBe(true);
  });
});

describe('the hash of contents', () => {
  it('changes with every byte and name, and with nothing else', async () => {
    writeFileSync(join(folder, 'a'), 'one');
    const first = await hashContents(['x'], folder, ['a']);
    expect(await hashContents(['x'], folder, ['a'])).toBe(first);
    writeFileSync(join(folder, 'a'), 'two');
    const second = await hashContents(['x'], folder, ['a']);
    expect(new Set([first, second, await hashContents(['y'], folder, ['a'])]).size).toBe(3);
  });
});

describe('the reason to end a cluster', () => {
  const self = identifySelf();
  const wanted = { endsAt: 1000, owner: self, supervisor: self };
  // Only these fields matter to the decision.
  const stateWith = (change: Partial<ClusterState>): ClusterState => ({
    id: 0,
    name: 'x',
    directory: folder,
    createdAt: 0,
    ready: true,
    isEnding: false,
    systemNode: false,
    karpenter: false,
    nodeMonitorGraceSeconds: 16,
    deadNodeSeconds: 60,
    poolCpuLimit: 8,
    imageTemplate: null,
    s3: { accessKeyId: '', secretAccessKey: '' },
    programs: {},
    ...wanted,
    ...change,
  });

  it('is none while its owner lives and its time is not over', () => {
    expect(reasonToEnd(stateWith({}), 1000)).toBeUndefined();
    expect(reasonToEnd(stateWith({ supervisor: null }), 1000)).toBeUndefined();
    expect(reasonToEnd(stateWith({ owner: null }), 1000)).toBeUndefined();
  });

  it('is its age, the death of its owner, or that of its supervisor when it has no owner', async () => {
    const dead = await deadProcess();
    expect(reasonToEnd(stateWith({}), 1001)).toBe('its time is over');
    expect(reasonToEnd(stateWith({ isEnding: true }), 0)).toBe('somebody began to take it down');
    expect(reasonToEnd(stateWith({ owner: dead }), 0)).toMatch(/owner, process \d+, has ended/);
    expect(reasonToEnd(stateWith({ owner: null, supervisor: dead }), 0)).toBe('its supervisor has ended');
  });
});
