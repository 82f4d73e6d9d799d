import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressesOf, type HostAddresses, hostAddresses, hosts } from './addresses.ts';
import { killCgroup, makeCgroup, removeCgroup } from './cgroups.ts';
import { containerdConfig } from './containerd.ts';
import { connect } from './controlplane.ts';
import { kubeconfigFile, pkiFile, readAuthority, writeKubeconfig } from './kubeconfig.ts';
import { issueCertificate } from './certificates.ts';
import { anchorScript, copyTemplate } from './nodefiles.ts';
import { addPodRoutes, plugIn, unplug } from './network.ts';
import { cniConfig, kubeletConfig, kubeProxyConfig } from './nodeconfig.ts';
import {
  listRecords,
  type NodeRecord,
  nodeCgroup,
  nodeFolder,
  processName,
  writeRecord,
} from './noderecord.ts';
import { lastWords, runningProcess, startProcess } from './processes.ts';
import { type ClusterState, programOf } from './state.ts';

const gibibyte = 2 ** 30;

async function writeConfiguration(
  state: ClusterState,
  record: NodeRecord,
  host: HostAddresses,
): Promise<void> {
  const folder = nodeFolder(state, record.host);
  const { apiServer, bridgeAddress, podRange } = addressesOf(state.id);
  const authority = await readAuthority(state.directory);
  const identity = { commonName: `system:node:${record.name}`, organization: 'system:nodes' };
  const serving = issueCertificate(authority, { ...identity, hosts: [host.address, record.name] });
  const proxy = kubeProxyConfig(kubeconfigFile(state.directory, 'kube-proxy'), record.name, podRange);
  const cgroup = nodeCgroup(state, record.host);
  const authorityFile = pkiFile(state.directory, 'ca.crt');
  const write = (name: string, text: string) => writeFile(join(folder, 'etc', name), text, { mode: 0o600 });
  await Promise.all([
    write('kubelet.crt', serving.certificate),
    write('kubelet.key', serving.key),
    write('containerd.toml', containerdConfig()),
    write(
      'kubelet.json',
      kubeletConfig(cgroup, join(folder, 'etc'), authorityFile, bridgeAddress, record.size),
    ),
    write('resolv.conf', `nameserver ${bridgeAddress}\n`),
    write('kube-proxy.json', proxy),
    writeFile(join(folder, 'cni', '10-pods.conflist'), cniConfig(host)),
    writeKubeconfig(join(folder, 'etc'), authority, apiServer, 'kubelet', identity),
  ]);
}

/** Starts a program inside the node's mount and network namespaces. */
function startInside(
  state: ClusterState,
  record: NodeRecord,
  name: string,
  command: string,
  args: readonly string[],
) {
  const anchor = runningProcess(state.directory, processName(record.host, 'anchor'));
  if (anchor === undefined) throw new Error(`node ${record.name} is not there any more`);
  startProcess(state.directory, {
    name: processName(record.host, name),
    command: 'nsenter',
    args: [`--target=${anchor.pid}`, '--mount', '--net', command, ...args],
    cgroup: `${nodeCgroup(state, record.host)}/${name}`,
  });
}

async function waitForFile(file: string, what: () => string, timeoutMs = 60_000): Promise<void> {
  for (const end = performance.now() + timeoutMs; !existsSync(file); await sleep(10)) {
    if (performance.now() > end) throw new Error(what());
  }
}

/** Starts containerd on a node and waits for its socket. */
export async function startContainerd(state: ClusterState, record: NodeRecord): Promise<void> {
  const folder = nodeFolder(state, record.host);
  const socket = join(folder, 'run/containerd.sock');
  await rm(socket, { force: true });
  startInside(state, record, 'containerd', 'containerd', ['--config', join(folder, 'etc/containerd.toml')]);
  const name = processName(record.host, 'containerd');
  await waitForFile(
    socket,
    () => `containerd of ${record.name} does not start:\n${lastWords(state.directory, name)}`,
  );
}

/** Starts the kubelet on a node, for the first time or again. */
export function startKubelet(state: ClusterState, record: NodeRecord): void {
  const etc = join(nodeFolder(state, record.host), 'etc');
  const labels = Object.entries(record.labels).map(([key, value]) => `${key}=${value}`);
  startInside(state, record, 'kubelet', programOf(state, 'kubelet'), [
    `--config=${join(etc, 'kubelet.json')}`,
    `--kubeconfig=${kubeconfigFile(etc, 'kubelet')}`,
    `--hostname-override=${record.name}`,
    `--node-ip=${hostAddresses(state.id, record.host).address}`,
    ...(labels.length === 0 ? [] : [`--node-labels=${labels.join(',')}`]),
  ]);
}

/** Boots a node: namespaces, containerd with the cluster's images, kube-proxy, kubelet. Returns before it is Ready. */
export async function bootNode(state: ClusterState, record: NodeRecord): Promise<void> {
  const host = hostAddresses(state.id, record.host);
  const folder = nodeFolder(state, record.host);
  const others = listRecords(state)
    .filter((other) => other.host !== record.host)
    .map((other) => hostAddresses(state.id, other.host));
  const folders = [
    'etc',
    'cni',
    'cni-state',
    'netns',
    'run',
    'containerd',
    'kubelet',
    'logs/pods',
    'logs/containers',
  ];
  await Promise.all(folders.map((name) => mkdir(join(folder, name), { recursive: true })));
  await writeRecord(state, record);
  const cgroup = nodeCgroup(state, record.host);
  const mounts = await Promise.all([
    copyTemplate(state.imageTemplate ?? '', join(folder, 'containerd')),
    plugIn(state.id, host).then(() => addPodRoutes(host, others)),
    writeConfiguration(state, record, host),
    ...['/anchor', '/containerd', '/kubelet', '/kube-proxy'].map((part) => makeCgroup(cgroup + part)),
  ]);
  await writeFile(join(folder, 'anchor.sh'), anchorScript(folder, mounts[0]));
  startProcess(state.directory, {
    name: processName(record.host, 'anchor'),
    command: 'nsenter',
    args: [`--net=/run/netns/${host.netns}`, 'unshare', '-m', 'sh', join(folder, 'anchor.sh')],
    cgroup: `${cgroup}/anchor`,
  });
  const anchor = processName(record.host, 'anchor');
  await waitForFile(
    join(folder, 'mounted'),
    () => `node ${record.name}: ${lastWords(state.directory, anchor)}`,
  );
  const proxyConfig = join(folder, 'etc/kube-proxy.json');
  startInside(state, record, 'kube-proxy', programOf(state, 'kube-proxy'), [`--config=${proxyConfig}`]);
  await startContainerd(state, record);
  startKubelet(state, record);
  await writeRecord(state, { ...record, bootedAt: Date.now() });
}

/** Kills everything on a node at once; its folder and network stay. */
export async function killEverything(state: ClusterState, host: number): Promise<void> {
  await killCgroup(nodeCgroup(state, host));
}

/** Removes a node from the machine, running or dead. */
export async function tearDownNode(state: ClusterState, host: number): Promise<void> {
  const folder = nodeFolder(state, host);
  await killEverything(state, host);
  const others = listRecords(state).filter((other) => other.host !== host);
  await unplug(
    hostAddresses(state.id, host),
    others.map((other) => hostAddresses(state.id, other.host)),
  );
  await removeCgroup(nodeCgroup(state, host));
  await rm(join(folder, 'node.json'), { force: true });
  await rm(folder, { recursive: true, force: true });
}

/** Boots the always-on node and waits until it takes pods. */
export async function bootSystemNode(state: ClusterState): Promise<void> {
  const record: NodeRecord = {
    name: 'system',
    role: 'system',
    host: hosts.systemNode,
    size: { cpu: 1000, memory: 4 * gibibyte },
    labels: { 'ebbflow.dev/pool': 'system' },
  };
  await bootNode(state, record);
  const client = connect(state);
  try {
    await waitUntilReady(state, record, (path) => client.send('GET', path));
  } finally {
    client.close();
  }
}

async function waitUntilReady(
  state: ClusterState,
  record: NodeRecord,
  get: (path: string) => Promise<{ readonly body: unknown }>,
): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(50)) {
    const { body } = await get(`/api/v1/nodes/${record.name}`);
    if (/"type":"Ready","status":"True"|"status":"True"[^}]*"type":"Ready"/.test(JSON.stringify(body)))
      return;
    const kubelet = processName(record.host, 'kubelet');
    if (runningProcess(state.directory, kubelet) === undefined) {
      throw new Error(`the kubelet of ${record.name} has ended:\n${lastWords(state.directory, kubelet)}`);
    }
  }
  throw new Error(`node ${record.name} did not get ready; see logs/kubelet-${record.host}.log`);
}
