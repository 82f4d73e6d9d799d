import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Capabilities } from '../../workers/s3/probe.ts';

/** A real S3 server of a test's own, on loopback. */
export interface S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** What its probe has to find. */
  readonly capabilities: Capabilities;
  /** Whether it tells checksums of whole objects. */
  readonly checksums: boolean;
  /** Makes an empty bucket. */
  createBucket(name: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * An address of loopback that is this process's alone, so that no test file that goes on at the same time takes a port
 * between the moment it was found free and the moment a server listens on it.
 */
export function ownAddress({ pid } = process): string {
  return `127.${64 + (pid >> 16)}.${(pid >> 8) & 255}.${pid & 255}`;
}

/** A TCP port of `ownAddress` that is free. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, ownAddress(), resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Waits until a server that was just started answers HTTP at all. */
export async function waitForAnswer(endpoint: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    if (child.exitCode !== null) break;
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer !== undefined) return;
    await sleep(25);
  }
  throw new Error(`${child.spawnfile} does not answer at ${endpoint}`);
}

/** Kills a process of ours and waits until it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
