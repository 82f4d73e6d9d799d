/** `ebbflow copy`: the process around it. */
import { nameKey } from '../../workers/copy/problems.ts';
import { CliError } from '../errors.ts';
import { formatCount } from '../format.ts';
import { exitCodeOf, listenForInterrupts } from '../interrupts.ts';
import { parseCopyCommand } from './arguments.ts';
import { VERIFY_USAGE, COPY_USAGE } from './options.ts';
import { type CopyReport, printReport } from './report.ts';
import { Screen } from './screen.ts';

/** Runs the command and returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const interrupt = listen();
  try {
    return args[0] === 'verify' ? await verify(args.slice(1), interrupt) : await copy(args, interrupt);
  } catch (error) {
    return interrupt.signal.aborted ? interrupt.exitCode() : sayError(error, args.includes('--json'));
  } finally {
    interrupt.close();
  }
}

async function copy(args: readonly string[], interrupt: Interrupt): Promise<number> {
  const command = parseCopyCommand(args);
  if (command.name === 'help') {
    process.stdout.write(COPY_USAGE);
    return 0;
  }
  const { runCopy } = await import('./run.ts');
  const screen = new Screen(process.stderr, command.quiet);
  interrupt.onFirst = () =>
    screen.say('Stopping: what is under way is finished and recorded. Ctrl-C again stops at once.');
  const report = await runCopy(command, { env: process.env, screen, stop: interrupt.signal });
  const exitCode = report.result === 'Interrupted' ? interrupt.exitCode() : report.exitCode;
  if (command.json) process.stdout.write(`${JSON.stringify({ ...report, exitCode }, undefined, 2)}\n`);
  else process.stdout.write(printReport(report));
  sayMessage(report, screen);
  return exitCode;
}

async function verify(args: readonly string[], interrupt: Interrupt): Promise<number> {
  const { parseVerifyCommand } = await import('./verifyarguments.ts');
  const command = parseVerifyCommand(args);
  if (command.name === 'help') {
    process.stdout.write(VERIFY_USAGE);
    return 0;
  }
  const { runVerification } = await import('./verifyrun.ts');
  const { printVerification } = await import('./verifyreport.ts');
  const screen = new Screen(process.stderr, command.quiet);
  const report = await runVerification(command, { env: process.env, screen, stop: interrupt.signal });
  const exitCode = report.result === 'Interrupted' ? interrupt.exitCode() : report.exitCode;
  if (command.json) process.stdout.write(`${JSON.stringify({ ...report, exitCode }, undefined, 2)}\n`);
  else process.stdout.write(printVerification(report));
  const differences = report.differences.map(({ key, why }) => `${nameKey(key)}: ${why}`);
  const left = report.counts.different - differences.length;
  const more = left > 0 ? [`and ${formatCount(left)} more`] : [];
  sayMessage({ message: report.message, details: [...differences, ...more] }, screen);
  return exitCode;
}

function sayMessage(
  { message, details = [] }: Pick<CopyReport, 'message' | 'details'>,
  screen: Screen,
): void {
  if (message === undefined) return;
  screen.say(`ebbflow: ${message}${details.length > 0 ? ':' : ''}`);
  for (const detail of details) screen.say(`  ${detail}`);
}

/** What kept a command from being begun. */
function sayError(error: unknown, json: boolean): number {
  const message = error instanceof Error ? error.message : String(error);
  const exitCode = error instanceof CliError && error.code === 'Usage' ? 2 : 1;
  if (json) {
    const result = { version: 1, result: 'Error', exitCode, message };
    process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  }
  process.stderr.write(`ebbflow: ${message}\n`);
  if (error instanceof CliError && error.next !== undefined) process.stderr.write(`try: ${error.next}\n`);
  return exitCode;
}

type Interrupt = ReturnType<typeof listen>;

/** The first signal asks for an orderly end. */
function listen() {
  const stop = new AbortController();
  let code = 143;
  const interrupt = {
    signal: stop.signal,
    onFirst: (): void => undefined,
    exitCode: () => code,
    close: listenForInterrupts((name) => {
      code = exitCodeOf(name);
      interrupt.onFirst();
      stop.abort(new Error(`ended by ${name}`));
    }),
  };
  return interrupt;
}
