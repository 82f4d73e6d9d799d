/** The command line, taken apart. */
import { parseArgs } from 'node:util';
import { isUID } from '../workers/contract/keys.ts';
import { CliError } from './errors.ts';

export const USAGE = `ebbflow: look at the results and logs of pipeline runs; copy objects without a cluster

  ebbflow copy s3://BUCKET/PREFIX s3://BUCKET/PREFIX [--match RE --replace TEMPLATE] ...   see ebbflow copy --help
  ebbflow results list [--run-namespace NS] [--pipeline NAME] [--result RESULT] [--limit N] [--after CURSOR]
  ebbflow results show UID
  ebbflow results failures UID [--stage NAME]   objects that copies could not copy, and why
  ebbflow logs UID [--stage NAME] [--worker N] [--container NAME] [--follow] [--timestamps] [--raw]

Options of results and logs
  --json            print what the operator answered, for programs
  -n, --namespace   namespace of the operator (default: ebbflow-system)
  --context         context of the kubeconfig
  --server URL      speak to this address instead of forwarding a port to the operator with kubectl

--raw prints the bytes of the log and nothing else. UID is the UID of a PipelineRun; results list shows them.
`;

/** How the operator is reached. */
export interface Connection {
  namespace: string;
  context: string | undefined;
  server: string | undefined;
}

export type Command = { json: boolean; connection: Connection } & (
  | { name: 'help' }
  | {
      name: 'list';
      filter: { namespace?: string; pipeline?: string; result?: string };
      limit: string;
      after: string | undefined;
    }
  | { name: 'show'; uid: string }
  | { name: 'failures'; uid: string; stage: string | undefined }
  | { name: 'logs'; uid: string; filter: LogSelection; follow: boolean; timestamps: boolean; raw: boolean }
);

export interface LogSelection {
  stage?: string;
  index?: string;
  container?: string;
}

const OPTIONS = {
  json: { type: 'boolean' },
  namespace: { type: 'string', short: 'n' },
  context: { type: 'string' },
  server: { type: 'string' },
  'run-namespace': { type: 'string' },
  pipeline: { type: 'string' },
  result: { type: 'string' },
  limit: { type: 'string' },
  after: { type: 'string' },
  stage: { type: 'string' },
  worker: { type: 'string' },
  container: { type: 'string', short: 'c' },
  follow: { type: 'boolean', short: 'f' },
  timestamps: { type: 'boolean' },
  raw: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const COMMON = ['json', 'namespace', 'context', 'server', 'help'];
const ALLOWED = {
  list: ['run-namespace', 'pipeline', 'result', 'limit', 'after'],
  show: [],
  failures: ['stage'],
  logs: ['stage', 'worker', 'container', 'follow', 'timestamps', 'raw'],
} as const;

/** @throws CliError that says what to type. */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args);
  const connection = {
    namespace: values.namespace ?? 'ebbflow-system',
    context: values.context,
    server: values.server,
  };
  const base = { json: values.json ?? false, connection };
  const [first, second, ...rest] = positionals;
  if (values.help === true || first === undefined || first === 'help') return { ...base, name: 'help' };
  const only = (name: keyof typeof ALLOWED): void => refuseOthers(name, Object.keys(values));
  if (first === 'results' && second === 'list' && rest.length === 0) {
    only('list');
    const filter = defined({
      namespace: values['run-namespace'],
      pipeline: values.pipeline,
      result: values.result,
    });
    return { ...base, name: 'list', filter, limit: values.limit ?? '50', after: values.after };
  }
  if (first === 'results' && second === 'show') {
    only('show');
    return { ...base, name: 'show', uid: readUID(rest) };
  }
  if (first === 'results' && second === 'failures') {
    only('failures');
    return { ...base, name: 'failures', uid: readUID(rest), stage: values.stage };
  }
  if (first === 'logs') {
    only('logs');
    const filter = defined({ stage: values.stage, index: values.worker, container: values.container });
    const { follow = false, timestamps = false, raw = false } = values;
    return { ...base, name: 'logs', uid: readUID(positionals.slice(1)), filter, follow, timestamps, raw };
  }
  throw usage(`there is no command ${positionals.slice(0, 2).join(' ')}`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : 'the options cannot be read');
  }
}

function refuseOthers(name: keyof typeof ALLOWED, given: readonly string[]): void {
  const allowed: readonly string[] = [...COMMON, ...ALLOWED[name]];
  const wrong = given.find((option) => !allowed.includes(option));
  if (wrong !== undefined) throw usage(`--${wrong} is not an option of this command`);
}

function readUID(words: readonly string[]): string {
  const [uid, extra] = words;
  if (uid === undefined)
    throw new CliError('Usage', 'name the run by its UID', { next: 'ebbflow results list' });
  if (extra !== undefined) throw usage(`one UID is enough; ${extra} is too much`);
  if (!isUID(uid))
    throw new CliError('Usage', `${uid} is not the UID of a run`, { next: 'ebbflow results list' });
  return uid;
}

function usage(message: string): CliError {
  return new CliError('Usage', message, { next: 'ebbflow --help' });
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const result: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  Object.assign(
    result,
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)),
  );
  return result;
}
