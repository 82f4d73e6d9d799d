/** The command line, taken apart. */
import { isUID } from '../workers/contract/keys.ts';
import { CliError } from './errors.ts';
import { flagReader } from './flags.ts';

export const USAGE = `ebbflow: look at the results and logs of pipeline runs; copy objects without a cluster

  ebbflow copy s3://BUCKET/PREFIX s3://BUCKET/PREFIX [--match RE --replace TEMPLATE] ...   see ebbflow copy --help
  ebbflow results list [--run-namespace NS] [--pipeline NAME] [--result RESULT] [--limit N] [--after CURSOR]
  ebbflow results show UID
  ebbflow results failures UID [--stage NAME]   objects that copies could not copy, and why
  ebbflow logs UID [--stage NAME] [--worker N] [--container NAME] [--follow] [--timestamps] [--raw]
  ebbflow --version

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
  | { name: 'version' }
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
  version: { type: 'boolean' },
} as const;

const flags = flagReader('ebbflow --help');
const RESULTS = ['Succeeded', 'Failed', 'Canceled'] as const;
/** Most runs that one answer has, and most workers that are told apart: the results API takes no more. */
const MOST_RUNS = 500;
const MOST_WORKERS = 1_000_000;

const COMMON = ['json', 'namespace', 'context', 'server', 'help'];
const COMMANDS = {
  list: 'results list',
  show: 'results show',
  failures: 'results failures',
  logs: 'logs',
} as const;
const ALLOWED = {
  list: ['run-namespace', 'pipeline', 'result', 'limit', 'after'],
  show: [],
  failures: ['stage'],
  logs: ['stage', 'worker', 'container', 'follow', 'timestamps', 'raw'],
} as const;

/** @throws CliError that says what to type. */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = flags.parse(args, OPTIONS);
  const connection = {
    namespace: values.namespace ?? 'ebbflow-system',
    context: values.context,
    server: flags.address('server', values.server),
  };
  const base = { json: values.json ?? false, connection };
  const [first, second, ...rest] = positionals;
  if (values.version === true) return { ...base, name: 'version' };
  if (values.help === true || first === undefined || first === 'help') return { ...base, name: 'help' };
  const only = (name: keyof typeof ALLOWED): void => refuseOthers(name, Object.keys(values));
  if (first === 'results' && second === 'list' && rest.length === 0) {
    only('list');
    const filter = defined({
      namespace: flags.name('run-namespace', values['run-namespace']),
      pipeline: flags.name('pipeline', values.pipeline),
      result: values.result === undefined ? undefined : flags.choose('result', values.result, RESULTS),
    });
    const limit = String(flags.count('limit', values.limit, 1, MOST_RUNS) ?? 50);
    return { ...base, name: 'list', filter, limit, after: readAfter(values.after) };
  }
  if (first === 'results' && second === 'show') {
    only('show');
    return { ...base, name: 'show', uid: readUID(rest) };
  }
  if (first === 'results' && second === 'failures') {
    only('failures');
    return { ...base, name: 'failures', uid: readUID(rest), stage: flags.name('stage', values.stage) };
  }
  if (first === 'logs') {
    only('logs');
    const filter = defined({
      stage: flags.name('stage', values.stage),
      index: flags.count('worker', values.worker, 0, MOST_WORKERS)?.toString(),
      container: flags.name('container', values.container),
    });
    const { follow = false, timestamps = false, raw = false } = values;
    return { ...base, name: 'logs', uid: readUID(positionals.slice(1)), filter, follow, timestamps, raw };
  }
  if (first === 'results') {
    const what = 'write results list, results show UID or results failures UID';
    if (second === undefined) throw flags.wrong(`results alone is no command: ${what}`);
    if (second === 'list') throw flags.wrong(`results list takes no ${JSON.stringify(rest[0])}`);
    throw flags.wrong(`there is no command results ${second}: ${what}`);
  }
  throw flags.wrong(`there is no command ${first}: there are copy, results and logs`);
}

function refuseOthers(name: keyof typeof ALLOWED, given: readonly string[]): void {
  const allowed: readonly string[] = [...COMMON, ...ALLOWED[name]];
  const wrong = given.find((option) => !allowed.includes(option));
  if (wrong !== undefined) throw flags.wrong(`--${wrong} is no option of ${COMMANDS[name]}`);
}

/** A place in the list, as an earlier answer named it. */
function readAfter(text: string | undefined): string | undefined {
  const [, uid, ...rest] = Buffer.from(text ?? '', 'base64url')
    .toString('utf8')
    .split(' ');
  if (text === undefined || (isUID(uid ?? '') && rest.length === 0)) return text;
  throw flags.wrong(`--after ${JSON.stringify(text)} is no place that an earlier results list has named`);
}

function readUID(words: readonly string[]): string {
  const [uid, extra] = words;
  if (uid === undefined)
    throw new CliError('Usage', 'name the run by its UID', { next: 'ebbflow results list' });
  if (extra !== undefined) throw flags.wrong(`one UID is enough; ${extra} is too much`);
  if (!isUID(uid))
    throw new CliError('Usage', `${uid} is not the UID of a run`, { next: 'ebbflow results list' });
  return uid;
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const result: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  Object.assign(
    result,
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)),
  );
  return result;
}
