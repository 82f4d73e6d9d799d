/** `npm run cluster -- up | down | status | env`: the native test cluster by hand. */
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { openCluster, startCluster } from './cluster.ts';
import { destroyCluster, reapStale } from './destroy.ts';
import { exportLines } from './exports.ts';
import { listNodes } from './noderecord.ts';
import { listStates, reasonToEnd } from './state.ts';
import type { Cluster } from './types.ts';

const usage = `Usage: npm run cluster -- COMMAND [--name NAME] [--json]

  up      start a cluster that stays until \`down\` (or 4 hours)
          --control-plane-only     API server, controllers, scheduler and S3, no nodes
          --no-karpenter           the system node only
          --image FILE.tar         docker archive that nodes have from the start; may be repeated
          --grace SECONDS          node monitor grace period (default 16)
          --hours N                end by itself after N hours (default 4)
  down    take it down; --all: every cluster of this machine
  status  what runs
  env     print lines to \`eval\`: KUBECONFIG, AWS_*, PATH with kubectl and helm
`;

// `status | head` is an ordinary end.
process.stdout.on('error', (error) => {
  if (!('code' in error) || error.code !== 'EPIPE') throw error;
  process.exit();
});

const say = (line: string): boolean => process.stderr.write(`${line}\n`);
const print = (value: unknown): boolean => process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: 'string', default: 'default' },
    json: { type: 'boolean', default: false },
    'control-plane-only': { type: 'boolean', default: false },
    'no-karpenter': { type: 'boolean', default: false },
    image: { type: 'string', multiple: true, default: [] },
    grace: { type: 'string' },
    hours: { type: 'string', default: '4' },
    all: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function describe(cluster: Cluster): Record<string, unknown> {
  const { name, kubeconfig, apiServer, s3, binaries, hostAddress, logDirectory } = cluster;
  return {
    name,
    kubeconfig,
    apiServer,
    s3,
    binaries,
    hostAddress,
    logDirectory,
    environment: cluster.environment(),
  };
}

async function up(): Promise<void> {
  const start = performance.now();
  const bare = values['control-plane-only'];
  const cluster = await startCluster({
    name: values.name,
    owner: 'command',
    karpenter: !bare && !values['no-karpenter'],
    systemNode: !bare,
    images: values.image,
    maxLifeSeconds: Number(values.hours) * 3600,
    progress: say,
    ...(values.grace === undefined ? {} : { nodeMonitorGraceSeconds: Number(values.grace) }),
  });
  say(
    `Cluster "${cluster.name}" is up after ${((performance.now() - start) / 1000).toFixed(1)} s: ${cluster.apiServer}`,
  );
  if (values.json) print(describe(cluster));
  else say(`Use it:  eval "$(npm run --silent cluster -- env --name ${cluster.name})"`);
}

async function down(): Promise<void> {
  const wanted = listStates().filter(({ name }) => values.all || name === values.name);
  for (const state of wanted) {
    await destroyCluster(state);
    say(`Cluster "${state.name}" is gone`);
  }
  await reapStale(say);
  if (wanted.length === 0) say(`No cluster ${values.all ? '' : `"${values.name}" `}is up`);
}

function status(): void {
  const clusters = listStates().map((state) => ({
    name: state.name,
    ready: state.ready,
    stale: reasonToEnd(state, Date.now()) ?? null,
    endsAt: new Date(state.endsAt).toISOString(),
    directory: state.directory,
    nodes: listNodes(state),
  }));
  if (values.json) return void print(clusters);
  if (clusters.length === 0) say('No cluster is up');
  for (const { name, ready, stale, endsAt, nodes } of clusters) {
    process.stdout.write(`${name}: ${stale ?? (ready ? 'ready' : 'starting')}, ends at ${endsAt}\n`);
    for (const node of nodes)
      process.stdout.write(`  ${node.name}  ${node.role}  ${node.state}  ${node.address}\n`);
  }
}

async function env(): Promise<void> {
  const cluster = await openCluster(values.name);
  if (values.json) return void print(describe(cluster));
  const folders = new Set(Object.values(cluster.binaries).map((program) => dirname(program)));
  process.stdout.write(exportLines(cluster.environment(), [...folders]));
}

const commands: Readonly<Record<string, () => Promise<void> | void>> = { up, down, status, env };
const command = commands[positionals[0] ?? ''];
if (command === undefined || values.help) {
  process.stderr.write(usage);
  process.exit(values.help ? 0 : 2);
}
try {
  await command();
} catch (error) {
  say(`npm run cluster -- ${positionals[0]}: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
