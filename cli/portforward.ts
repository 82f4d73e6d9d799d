/** A port of the operator's pod on this machine, through kubectl and with the caller's own rights. */
import { type ChildProcess, spawn } from 'node:child_process';
import { z } from 'zod';
import type { Connection } from './arguments.ts';
import { CliError } from './errors.ts';
import { type Complaint, explainKubectl } from './kubectlwords.ts';

/** Port of the results API inside the pod. */
const RESULTS_PORT = 8081;
const SELECTOR = 'app.kubernetes.io/name=ebbflow,app.kubernetes.io/component=operator';
/** Shows whether there is an operator, wherever it is. */
export const FIND_OPERATOR = `kubectl get pods --all-namespaces --selector=${SELECTOR}`;
const DEADLINE_MS = 20_000;

export interface Forward {
  url: string;
  /** Ends kubectl. */
  close: () => void;
}

const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ phase: z.string().optional() }),
    }),
  ),
});

/** @throws CliError that says what to try. */
export async function openForward(connection: Connection, signal: AbortSignal): Promise<Forward> {
  const pod = await findOperator(connection, signal);
  const child = startKubectl(connection, [
    'port-forward',
    `pod/${pod}`,
    `:${RESULTS_PORT}`,
    '--address=127.0.0.1',
  ]);
  try {
    const port = await readPort(child, connection, signal);
    return { url: `http://127.0.0.1:${port}`, close: () => end(child) };
  } catch (error) {
    end(child);
    throw error;
  }
}

async function findOperator(connection: Connection, signal: AbortSignal): Promise<string> {
  const { namespace } = connection;
  const text = await runKubectl(
    connection,
    ['get', 'pods', `--selector=${SELECTOR}`, '--output=json'],
    signal,
  );
  const running = podList.parse(JSON.parse(text)).items.find(({ status }) => status.phase === 'Running');
  if (running === undefined)
    throw new CliError('NoOperator', `no pod of the operator is running in namespace ${namespace}`, {
      next: FIND_OPERATOR,
    });
  return running.metadata.name;
}

function scopeOf({ namespace, context }: Connection): readonly string[] {
  return [`--namespace=${namespace}`, ...(context === undefined ? [] : [`--context=${context}`])];
}

function startKubectl(connection: Connection, args: readonly string[]): ChildProcess {
  return spawn('kubectl', [...scopeOf(connection), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

function end(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
}

function runKubectl(connection: Connection, args: readonly string[], signal: AbortSignal): Promise<string> {
  const child = startKubectl(connection, args);
  return watchChild(child, connection, signal, (output, ended) => (ended ? output : undefined));
}

async function readPort(child: ChildProcess, connection: Connection, signal: AbortSignal): Promise<string> {
  const found = (output: string): string | undefined =>
    /^Forwarding from 127\.0\.0\.1:(\d+) /m.exec(output)?.[1];
  return watchChild(child, connection, signal, found);
}

/** Resolves with the first thing that `accept` finds in the output; a child that ends badly is an error. */
function watchChild(
  child: ChildProcess,
  connection: Connection,
  signal: AbortSignal,
  accept: (output: string, ended: boolean) => string | undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    let complaint = '';
    const timer = setTimeout(() => fail(say('kubectl did not answer in time')), DEADLINE_MS);
    const leave = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => {
      leave();
      end(child);
      reject(signal.reason);
    };
    const fail = ({ message, next }: Complaint, cause?: unknown): void => {
      leave();
      end(child);
      reject(new CliError('Kubectl', message, { next, cause }));
    };
    const say = (words: string): Complaint => explainKubectl(words, scopeOf(connection).join(' '));
    const check = (ended: boolean): boolean => {
      const result = accept(output, ended);
      if (result === undefined) return false;
      leave();
      resolve(result);
      return true;
    };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      check(false);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-2000);
    });
    child.once('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT';
      const message = 'kubectl is not on the PATH; install it, or name the address with --server';
      fail(missing ? { message, next: 'ebbflow --help' } : say(error.message), error);
    });
    child.once('close', (code) => {
      if (code === 0 && check(true)) return;
      fail(say(complaint.trim() || `kubectl ended with code ${code}`));
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
