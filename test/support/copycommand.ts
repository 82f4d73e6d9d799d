import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Gateway } from './versitygw.ts';

const program = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** How a command ended, and what it said. */
export interface Said {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command. */
export interface Running {
  readonly child: ChildProcess;
  readonly end: Promise<Said>;
}

/** `ebbflow copy` as a user has it: a process, credentials in the environment, a home of its own for its state. */
export class CopyCommand {
  readonly home: string;
  readonly #env: Record<string, string | undefined>;

  private constructor(home: string, env: Record<string, string | undefined>) {
    this.home = home;
    this.#env = env;
  }

  static async create(gateway: Gateway, endpoint: string): Promise<CopyCommand> {
    const home = await mkdtemp(join(tmpdir(), 'ebbflow-home-'));
    return new CopyCommand(home, {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      HOME: home,
      AWS_ACCESS_KEY_ID: gateway.accessKeyId,
      AWS_SECRET_ACCESS_KEY: gateway.secretAccessKey,
      AWS_ENDPOINT_URL: endpoint,
    });
  }

  start(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): Running {
    const child = spawn(process.execPath, [program, 'copy', ...args], {
      env: { ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    const end = once(child, 'close').then(([code]) => ({ code, ...output }));
    return { child, end };
  }

  async run(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): Promise<Said> {
    return this.start(args, env).end;
  }

  async remove(): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}
