/**
 * The native test cluster: a real control plane, real kubelets and containerd, Karpenter and an S3 store on one
 * Linux machine, without Docker.
 *
 *     await using cluster = await startCluster({ name: 'mine', systemNode: false, karpenter: false });
 *     await cluster.kubectl(['apply', '-f', 'crds/']);
 *
 * A cluster from startCluster ends with the process that started it, however that dies. `npm run cluster -- up`
 * makes one that stays until `down`; openCluster() attaches to it from any process.
 *
 * Stage pods go to the scaling pool with `nodeSelector: {ebbflow.dev/pool: burst}` and a toleration of the taint
 * `ebbflow.dev/pool:NoSchedule`; everything else goes to the system node. Services have their
 * DNS names in pods; names outside the cluster do not exist there.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addressesOf } from './addresses.ts';
import { provideBinaries, type UpstreamName } from './binaries.ts';
import { startControlPlane } from './controlplane.ts';
import { installPackages } from './debian.ts';
import { destroyCluster, reapStale } from './destroy.ts';
import { CommandFailed, execute } from './exec.ts';
import { nodeFaults } from './faults.ts';
import { identifySelf } from './identity.ts';
import { provideTemplate } from './images.ts';
import { startKarpenter } from './karpenter.ts';
import { kubeconfigFile } from './kubeconfig.ts';
import { withLock } from './lock.ts';
import { makeBridge } from './network.ts';
import { bootSystemNode } from './node.ts';
import { listNodes } from './noderecord.ts';
import { stateRoot } from './paths.ts';
import { startStore, storeRegion } from './s3.ts';
import { type ClusterState, claimCluster, listStates, readState, updateState } from './state.ts';
import { startSupervisor } from './supervise.ts';
import type { Cluster, ClusterOptions } from './types.ts';

const hour = 3_600_000;

/** The machine cannot carry a cluster; the message says what to change. */
export class MachineUnfit extends Error {
  readonly code = 'MachineUnfit';
}

/** A cluster of that name is up already. */
export class NameTaken extends Error {
  readonly code = 'NameTaken';
}

/** No cluster of that name is up. */
export class NoSuchCluster extends Error {
  readonly code = 'NoSuchCluster';
}

/** Explains, before anything is changed, why this machine cannot carry a cluster. */
export function assertMachineFits(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new MachineUnfit(
      `the test cluster runs on Linux x64, and this is ${process.platform} ${process.arch}`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new MachineUnfit('the test cluster makes network namespaces, mounts and cgroups: run it as root');
  }
}

function describeCluster(state: ClusterState): Cluster & AsyncDisposable {
  const addresses = addressesOf(state.id);
  const kubeconfig = kubeconfigFile(state.directory, 'admin');
  const path = (name: string) => state.programs[name] ?? '';
  const binaries = { kubectl: path('kubectl'), helm: path('helm') };
  const s3 = { endpoint: addresses.s3Endpoint, region: storeRegion, ...state.s3 };
  const stop = () => destroyCluster(state);
  const environment = () => ({
    KUBECONFIG: kubeconfig,
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    PATH: `${dirname(binaries.kubectl)}:${dirname(binaries.helm)}:${process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin'}`,
  });
  return {
    name: state.name,
    kubeconfig,
    apiServer: addresses.apiServer,
    s3,
    binaries,
    hostAddress: addresses.bridgeAddress,
    logDirectory: join(state.directory, 'logs'),
    faults: nodeFaults(state),
    nodes: async () => listNodes(state),
    kubectl: async (args, options = {}) => {
      const env = { ...process.env, ...environment() };
      const settings = { env, input: options.input, timeoutMs: options.timeoutMs ?? 60_000 };
      const result = await execute(binaries.kubectl, args, settings);
      if (result.code !== 0) throw new CommandFailed('kubectl', args, result);
      return result.stdout;
    },
    environment,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function upstreamsFor(options: { karpenter: boolean }): UpstreamName[] {
  return ['etcd', 'kubernetes', 'versitygw', 'helm', ...(options.karpenter ? (['karpenter'] as const) : [])];
}

/** Claims a number for a new cluster; the name must not belong to a living one. */
function claim(
  options: ClusterOptions,
  programs: Readonly<Record<string, string>>,
  imageTemplate: string | null,
) {
  const name = options.name ?? 'default';
  return withLock(join(stateRoot(), 'claim.lock'), async () => {
    if (listStates().some((state) => state.name === name)) {
      throw new NameTaken(
        `cluster "${name}" is up already: take it down first (npm run cluster -- down --name ${name})`,
      );
    }
    return claimCluster((id, directory) => ({
      id,
      name,
      directory,
      createdAt: Date.now(),
      endsAt: Date.now() + (options.maxLifeSeconds === undefined ? 4 * hour : options.maxLifeSeconds * 1000),
      owner: identifySelf(),
      supervisor: null,
      ready: false,
      isEnding: false,
      systemNode: options.systemNode ?? true,
      karpenter: options.karpenter ?? true,
      nodeMonitorGraceSeconds: options.nodeMonitorGraceSeconds ?? 16,
      deadNodeSeconds: options.deadNodeSeconds ?? 60,
      poolCpuLimit: options.poolCpuLimit ?? 8,
      imageTemplate,
      s3: {
        accessKeyId: `EBB${randomBytes(8).toString('hex').toUpperCase()}`,
        secretAccessKey: randomBytes(20).toString('hex'),
      },
      programs,
    }));
  });
}

async function bringUp(claimed: ClusterState, options: ClusterOptions, progress: (line: string) => void) {
  // First, so that whatever happens from here on somebody takes the cluster down.
  const supervisor = startSupervisor(claimed);
  let state = await updateState(claimed.directory, { supervisor });
  await makeBridge(state.id);
  progress('Starting etcd, API server, controllers, scheduler and the S3 store');
  await Promise.all([startControlPlane(state), startStore(state)]);
  progress(state.systemNode ? 'Starting the system node' : 'No system node wanted');
  await Promise.all([
    state.systemNode ? bootSystemNode(state) : undefined,
    state.karpenter ? startKarpenter(state) : undefined,
  ]);
  state = await updateState(state.directory, {
    ready: true,
    ...(options.owner === 'command' ? { owner: null } : {}),
  });
  await options.background?.take(addressesOf(state.id).bridge);
  return describeCluster(state);
}

/** Starts a cluster and returns when it is usable. Installs and compiles what is missing (minutes, once). */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster & AsyncDisposable> {
  const progress = options.progress ?? (() => {});
  assertMachineFits();
  mkdirSync(stateRoot(), { recursive: true, mode: 0o755 });
  await installPackages(progress);
  const karpenter = options.karpenter ?? true;
  const programs = await provideBinaries(upstreamsFor({ karpenter }), progress);
  const hasNodes = karpenter || (options.systemNode ?? true);
  const imageTemplate = hasNodes ? await provideTemplate(options.images ?? [], progress) : null;
  await reapStale(progress);
  const state = await claim(options, programs, imageTemplate);
  try {
    return await bringUp(state, options, progress);
  } catch (error) {
    await destroyCluster(state);
    throw error;
  }
}

/** Attaches to a cluster that another process started. Rejects with NoSuchCluster when there is none of that name. */
export async function openCluster(name = 'default'): Promise<Cluster> {
  const state = listStates().find((candidate) => candidate.name === name);
  if (state === undefined) throw new NoSuchCluster(`no cluster "${name}" is up`);
  for (
    let current: ClusterState | undefined = state;
    current?.ready !== true;
    current = readState(state.directory)
  ) {
    if (current === undefined) throw new NoSuchCluster(`cluster "${name}" did not come up`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return describeCluster(state);
}
