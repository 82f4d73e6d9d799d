import { spawn } from 'node:child_process';
import type { CommandResult } from './types.ts';

export interface ExecOptions {
  readonly input?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Default 60 s; the program is killed after it. */
  readonly timeoutMs?: number;
  /** Called with every line on either stream, for programs whose words are worth showing while they run. */
  readonly onLine?: (line: string) => void;
}

/** A program ended with a code other than 0 (or by a signal, or not in time). Its last words are in the message. */
export class CommandFailed extends Error {
  readonly code = 'CommandFailed';
  readonly result: CommandResult;

  constructor(command: string, args: readonly string[], result: CommandResult) {
    const words = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-12).join('\n');
    super(`${command} ${args.slice(0, 3).join(' ')} ended with code ${result.code}: ${words}`);
    this.name = 'CommandFailed';
    this.result = result;
  }
}

/** Runs a program to its end and tells how it went; only a program that cannot be started at all rejects. */
export function execute(
  command: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      timeout: options.timeoutMs ?? 60_000,
      killSignal: 'SIGKILL',
    });
    const words = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      let rest = '';
      child[name].setEncoding('utf8').on('data', (text: string) => {
        words[name] += text;
        if (options.onLine === undefined) return;
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        lines.forEach(options.onLine);
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const late =
        signal === 'SIGKILL'
          ? `\nkilled (${signal}), perhaps after its time of ${options.timeoutMs ?? 60_000} ms`
          : '';
      resolve({ code: code ?? 128, stdout: words.stdout, stderr: words.stderr + late });
    });
    child.stdin.on('error', () => {}); // the program may not read its input to the end
    child.stdin.end(options.input ?? '');
  });
}

/** Like `execute`, but any end other than code 0 rejects with CommandFailed. Returns standard output. */
export async function run(
  command: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<string> {
  const result = await execute(command, args, options);
  if (result.code !== 0) throw new CommandFailed(command, args, result);
  return result.stdout;
}
