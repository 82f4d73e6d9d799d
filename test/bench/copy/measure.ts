import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What a program took from its start to its end. */
export interface Measured {
  readonly seconds: number;
  /** User and system time of the program and of all that it started. */
  readonly cpuSeconds: number;
  /** Most memory that was resident at once, in bytes. */
  readonly peakBytes: number;
  readonly stdout: string;
}

/** The shell says which process it started, and at the end what that used: it waits for it, and so is told by the kernel. */
const waiter = '"$@" & echo $! >&3; wait $!; code=$?; times >&3; exit $code';

/** The kernel may count in ticks of 10 ms. Who used less would have used nothing, and with nothing nobody can be compared. */
const TICK = 0.01;

/** Milliseconds between looks at the memory. The kernel keeps the peak, so only a rise in the last moments is missed. */
const lookEvery = 20;

/** Runs a program to its end. @throws Error with its last words when that is not code 0, and when `signal` comes. */
export async function measure(
  { command, args, env }: Command,
  signal: AbortSignal,
  mostSeconds = 900,
): Promise<Measured> {
  signal.throwIfAborted();
  const began = performance.now();
  const shell = spawn('/bin/sh', ['-c', waiter, 'sh', command, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const words = { stdout: '', stderr: '', facts: '' };
  const facts = shell.stdio[3];
  shell.stdout?.setEncoding('utf8').on('data', (text: string) => (words.stdout += keep(text)));
  shell.stderr
    ?.setEncoding('utf8')
    .on('data', (text: string) => (words.stderr = (words.stderr + text).slice(-2000)));
  facts?.on('data', (bytes: Buffer) => (words.facts += bytes.toString('latin1')));
  let peakBytes = 0;
  const pidOf = (): number => Number(/^\d+/.exec(words.facts)?.[0] ?? 0);
  const looking = setInterval(() => {
    if (pidOf() > 0) peakOf(pidOf()).then((peak) => (peakBytes = Math.max(peak, peakBytes)), ignore);
  }, lookEvery);
  const stop = (): void => void (pidOf() > 0 && process.kill(pidOf(), 'SIGKILL'));
  const ending = AbortSignal.any([signal, AbortSignal.timeout(mostSeconds * 1000)]);
  ending.addEventListener('abort', stop, { once: true });
  const code = await new Promise<number | null>((resolve) => shell.once('close', resolve));
  clearInterval(looking);
  ending.removeEventListener('abort', stop);
  const seconds = (performance.now() - began) / 1000;
  signal.throwIfAborted();
  if (code !== 0)
    throw new Error(`${command} ${args[0]} ended with code ${code}: ${words.stderr || words.stdout}`);
  return { seconds, cpuSeconds: Math.max(TICK, cpuOf(words.facts)), peakBytes, stdout: words.stdout };
}

const ignore = (): void => undefined;

/** Some programs name every object. Nobody reads that, but somebody must take it. */
function keep(text: string): string {
  return text.length > 1_000_000 ? '' : text;
}

async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Of what `times` prints the second line: user and system time of all that the shell waited for. Pure. */
export function cpuOf(times: string): number {
  const line = times.trim().split('\n').at(-1) ?? '';
  const [user, system] = [...line.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
  );
  if (user === undefined || system === undefined) throw new Error(`the shell told no times but ${times}`);
  return user + system;
}
