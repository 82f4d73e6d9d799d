import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface CommandOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Membership file of a cgroup that the command and all it starts belong to. */
  readonly cgroup?: string | undefined;
  /** The command and all it started are ended after it. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Takes what it prints, line by line. */
  readonly say: (line: string) => void;
  /** Takes standard output as it is, instead of `say`. */
  readonly onOutput?: (text: string) => void;
}

export interface CommandEnd {
  readonly code: number;
  /** Why the command did not end by itself, if so. */
  readonly stopped: 'timeout' | 'interrupted' | undefined;
}

/** How long a command may take to end in order before it is killed. */
const GRACE_MS = 10_000;

/** Joins the cgroup before it becomes the command: nothing is started outside. */
const joinThenBecome = 'echo $$ > "$0" && exec "$@"';

/** Runs a command in a process group of its own, tells its output as it comes, and never leaves the group behind. */
export function runCommand(options: CommandOptions): Promise<CommandEnd> {
  const { command, args, cwd, env, cgroup, timeoutMs, signal, say, onOutput } = options;
  const [file, argv] =
    cgroup === undefined ? [command, args] : ['/bin/sh', ['-c', joinThenBecome, cgroup, command, ...args]];
  return new Promise((resolve) => {
    let stopped: CommandEnd['stopped'];
    let killTimer: NodeJS.Timeout | undefined;
    const child = spawn(file, argv, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const signalGroup = (name: NodeJS.Signals): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, name);
      } catch {
        // The group is gone already.
      }
    };
    const stop = (why: NonNullable<CommandEnd['stopped']>): void => {
      if (stopped !== undefined) return;
      stopped = why;
      signalGroup('SIGTERM');
      killTimer = setTimeout(() => signalGroup('SIGKILL'), GRACE_MS);
    };
    const onAbort = (): void => stop('interrupted');
    const timer = setTimeout(() => stop('timeout'), timeoutMs);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });

    const finish = (code: number): void => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      signal.removeEventListener('abort', onAbort);
      // Whatever the command left running in its group has no business after it.
      signalGroup('SIGKILL');
      resolve({ code: stopped === undefined ? code : code || 1, stopped });
    };
    if (onOutput) child.stdout.setEncoding('utf8').on('data', onOutput);
    else createInterface({ input: child.stdout }).on('line', say);
    createInterface({ input: child.stderr }).on('line', say);
    child.on('error', (error) => {
      say(`${command}: ${error.message}`);
      finish(127);
    });
    child.on('close', (code) => finish(code ?? 128));
  });
}
