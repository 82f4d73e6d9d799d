/**
 * `npm run bench:memory -- [--runs 1000]`: the compiled operator as its image runs it, against the loopback API server,
 * a simulated Job controller and a real store: resident memory when idle, after 100 runs, and for each 1,000 finished
 * runs that are kept. Needs no cluster.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { API_VERSION, KIND } from '../../operator/api/names.ts';
import { issueCertificate, makeAuthority } from '../cluster/certificates.ts';
import { projectRoot } from '../cluster/paths.ts';
import { FakeApi } from '../support/fakeapi/server.ts';
import { fieldsOf, isTrue } from '../support/simulation/fields.ts';
import { Simulation } from '../support/simulation/kubernetes.ts';
import { startGateway } from '../support/versitygw.ts';

const NAMESPACE = 'data';
const RUNS = `/apis/ebbflow.dev/v1alpha1/namespaces/${NAMESPACE}/pipelineruns`;
/** Runs in flight at once. */
const AT_ONCE = 10;

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '1000' } },
});
const folder = await mkdtemp(join(tmpdir(), 'ebbflow-memory-'));
const gateway = await startGateway();
await gateway.createBucket('results');
const api = new FakeApi({ bookmarkMs: 1_000, endLogs: true });
api.world.madeAt = () => new Date().toISOString();
await api.start();
api.world.put(`/api/v1/namespaces/${NAMESPACE}`, { metadata: { name: NAMESPACE } });
const simulation = new Simulation({
  world: api.world,
  namespace: NAMESPACE,
  now: () => new Date(),
  script: () => ({ exitCode: 0 }),
});

/** Everything that the chart mounts and sets. */
async function environment(): Promise<Record<string, string>> {
  const write = async (path: string, text: string): Promise<void> => writeFile(join(folder, path), text);
  await mkdir(join(folder, 'store'));
  await write('store/AWS_ACCESS_KEY_ID', gateway.accessKeyId);
  await write('store/AWS_SECRET_ACCESS_KEY', gateway.secretAccessKey);
  await mkdir(join(folder, 'tls'));
  const authority = makeAuthority();
  const server = issueCertificate(authority, { commonName: 'ebbflow', hosts: ['ebbflow'] });
  await write('tls/tls.crt', server.certificate);
  await write('tls/tls.key', server.key);
  await write('tls/ca.crt', authority.certificate);
  const kubeconfig = {
    'current-context': 'fake',
    contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake' } }],
    clusters: [{ name: 'fake', cluster: { server: api.access.server } }],
    users: [{ name: 'fake', user: { token: 'none' } }],
  };
  await write('kubeconfig', JSON.stringify(kubeconfig));
  return {
    KUBECONFIG: join(folder, 'kubeconfig'),
    EBBFLOW_IMAGE: 'ebbflow:bench',
    EBBFLOW_RESULTS_ENDPOINT: gateway.endpoint,
    EBBFLOW_RESULTS_BUCKET: 'results',
    EBBFLOW_RESULTS_CREDENTIALS: join(folder, 'store'),
    EBBFLOW_TLS_DIRECTORY: join(folder, 'tls'),
    EBBFLOW_WORKER_API_HOST: '127.0.0.1',
    EBBFLOW_WORKER_API_PORT: await freePort(),
    EBBFLOW_WORKER_API_SERVER_NAME: 'ebbflow',
    EBBFLOW_METRICS_PORT: metricsPort,
    EBBFLOW_RESULTS_API_PORT: await freePort(),
    EBBFLOW_INDEX_FILE: join(folder, 'index.sqlite'),
    EBBFLOW_LOG_LEVEL: 'warn',
    EBBFLOW_NAMESPACE: 'ebbflow-system',
    EBBFLOW_POD_NAME: 'operator',
    NODE_OPTIONS: '--max-semi-space-size=1',
    NODE_ENV: 'production',
  };
}

async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return String(address.port);
}

const metricsPort = await freePort();
const operator = spawn(
  process.execPath,
  [
    '--enable-experimental-regexp-engine-on-excessive-backtracks',
    join(projectRoot, 'dist/entry.mjs'),
    'operator',
  ],
  { stdio: ['ignore', 'inherit', 'inherit'], env: await environment() },
);

/** Resident memory of the operator in MB, its part that is not mapped from files, and what of that is V8's heap. */
async function memory(): Promise<{ rss: number; anonymous: number; heap: string }> {
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const bytes = (name: string): number =>
    Math.round(Number(new RegExp(`^${name} (\\S+)`, 'm').exec(metrics)?.[1] ?? Number.NaN) / 1e5) / 10;
  const status = await readFile(`/proc/${operator.pid}/status`, 'utf8');
  const megabytes = (field: string): number =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 102.4) /
    10;
  const heap = `${bytes('nodejs_heap_size_used_bytes')} of ${bytes('nodejs_heap_size_total_bytes')}, external ${bytes('nodejs_external_memory_bytes')}`;
  return { rss: megabytes('VmRSS'), anonymous: megabytes('RssAnon'), heap };
}

function isOver(path: string): boolean {
  return isTrue(fieldsOf(fieldsOf(api.world.get(path))['status']), 'ResourcesDeleted');
}

/** Plays so many runs of two stages through; their PipelineRuns stay. */
async function play(from: number, to: number): Promise<void> {
  const container = { image: 'busybox:1', command: ['true'] };
  const stages = [
    { name: 'first', container },
    { name: 'second', dependsOn: ['first'], container },
  ];
  const open = new Set<string>();
  for (let next = from; next < to || open.size > 0; ) {
    for (const path of open) if (isOver(path)) open.delete(path);
    for (; next < to && open.size < AT_ONCE; next += 1) {
      const path = `${RUNS}/run-${next}`;
      open.add(path);
      const metadata = { name: `run-${next}`, namespace: NAMESPACE, generation: 1 };
      api.world.put(
        path,
        Object.assign({ apiVersion: API_VERSION, kind: KIND, metadata }, { spec: { stages } }),
      );
    }
    for (const pod of api.world.list(`/api/v1/namespaces/${NAMESPACE}/pods`))
      api.logs.set(`${NAMESPACE}/${pod.metadata.name}/main`, `${new Date().toISOString()} done\n`);
    simulation.step();
    await sleep(20);
    if (operator.exitCode !== null) throw new Error(`the operator ended with ${operator.exitCode}`);
  }
  api.world.history.splice(0, api.world.history.length - 100);
}

/** For the garbage of the last run to be collected, in milliseconds. */
const settle = 10_000;
async function measure(): Promise<void> {
  await sleep(settle);
  const idle = await memory();
  console.log('idle', idle);
  await play(0, 105);
  await sleep(settle);
  const early = await memory();
  console.log('after 105 runs', early);
  const runs = Number(values.runs);
  await play(105, 105 + runs);
  await sleep(settle);
  const late = await memory();
  console.log(`after ${105 + runs} runs`, late);
  console.log('target: at most 110 MB idle and 20 MB per 1,000 runs kept');
  console.log(`per 1,000 runs kept: ${Math.round(((late.rss - early.rss) / runs) * 10_000) / 10} MB`);
}

try {
  await measure();
} finally {
  operator.kill();
  if (operator.exitCode === null) await new Promise((resolve) => operator.once('exit', resolve));
  await api.stop();
  await gateway.stop();
  await rm(folder, { recursive: true, force: true });
}
