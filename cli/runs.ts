/** `ebbflow results` and `ebbflow logs`: what the operator knows about runs. */
import { version } from '../workers/contract/version.ts';
import { RESULTS_ROUTES, runReply, runsReply } from '../workers/contract/resultsapi.ts';
import { type Command, parseCommand, USAGE } from './arguments.ts';
import { ResultsClient } from './client.ts';
import { CliError } from './errors.ts';
import { listFailures } from './failures.ts';
import { exitCodeOf, listenForInterrupts } from './interrupts.ts';
import { formatEntry } from './logs.ts';
import { openForward } from './portforward.ts';
import { printRun, printRuns } from './results.ts';

/** Writes and waits while the reader is slow. */
async function write(data: string | Uint8Array): Promise<void> {
  if (process.stdout.write(data)) return;
  await new Promise<void>((resolve) => {
    process.stdout.once('drain', resolve);
  });
}

async function run(command: Command, client: ResultsClient, signal: AbortSignal): Promise<void> {
  switch (command.name) {
    case 'help':
      return write(USAGE);
    case 'version':
      return write(`ebbflow ${version}\n`);
    case 'list': {
      const query = { ...command.filter, limit: command.limit, after: command.after };
      const reply = await client.get(runsReply, RESULTS_ROUTES.runs, query, signal);
      return write(command.json ? `${JSON.stringify(reply, undefined, 2)}\n` : printRuns(reply, new Date()));
    }
    case 'show': {
      const reply = await client.get(runReply, RESULTS_ROUTES.run(command.uid), {}, signal);
      return write(command.json ? `${JSON.stringify(reply, undefined, 2)}\n` : printRun(reply, new Date()));
    }
    case 'failures':
      for await (const text of listFailures(command, client, signal)) await write(text);
      return undefined;
    case 'logs':
      return printLogs(command, client, signal);
  }
}

async function printLogs(
  command: Extract<Command, { name: 'logs' }>,
  client: ResultsClient,
  signal: AbortSignal,
): Promise<void> {
  const path = RESULTS_ROUTES.logs(command.uid);
  const query = { ...command.filter, follow: String(command.follow) };
  if (command.raw) {
    for await (const bytes of client.bytes(path, { ...query, format: 'text' }, signal)) await write(bytes);
    return;
  }
  const style = { timestamps: command.timestamps, terminal: process.stdout.isTTY };
  for await (const { entry, text } of client.entries(path, query, signal)) {
    await write(command.json ? `${text}\n` : formatEntry(entry, style));
    if ('error' in entry) throw new CliError(entry.error.code, entry.error.message);
  }
}

/** Nobody has to be asked. */
function isOffline({ name }: Command): boolean {
  return name === 'help' || name === 'version';
}

/** Runs the command of this process's arguments and sets its exit code. */
export async function main(): Promise<void> {
  const stop = new AbortController();
  listenForInterrupts((name) => {
    process.exitCode = exitCodeOf(name);
    stop.abort(new Error(`received ${name}`));
  });
  // `ebbflow logs UID | head` is an ordinary end.
  process.stdout.on('error', () => stop.abort(new Error('the reader has left')));
  let close = (): void => undefined;
  try {
    const command = parseCommand(process.argv.slice(2));
    let { server } = command.connection;
    if (!isOffline(command) && server === undefined) {
      const forward = await openForward(command.connection, stop.signal);
      ({ url: server, close } = forward);
    }
    await run(command, new ResultsClient(server ?? 'http://127.0.0.1'), stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return;
    process.exitCode = error instanceof CliError && error.code === 'Usage' ? 2 : 1;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`ebbflow: ${message}\n`);
    if (error instanceof CliError && error.next !== undefined) process.stderr.write(`try: ${error.next}\n`);
  } finally {
    close();
  }
}
