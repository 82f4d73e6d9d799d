import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { HostAddresses } from './addresses.ts';
import { clusterDomain } from './dns.ts';

/** What a node offers to pods. The rest of the machine is declared as reserved, which is how a node is small. */
export interface NodeSize {
  /** Millicores. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

/** The machine as the kubelet sees it; every node's capacity is this. */
export function machineSize(): NodeSize {
  const kibibytes = Number(/^MemTotal:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0);
  return { cpu: availableParallelism() * 1000, memory: kibibytes * 1024 };
}

/** Pods on a bridge of the node's own range, reached by routes. */
export function cniConfig(host: HostAddresses): string {
  return JSON.stringify({
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'pods0',
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: host.pods }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

/** KubeletConfiguration; JSON is YAML. `etc` is the folder with the node's certificate. */
export function kubeletConfig(
  cgroup: string,
  etc: string,
  authority: string,
  nameServer: string,
  size: NodeSize,
): string {
  const machine = machineSize();
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: authority },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${etc}/kubelet.crt`,
    tlsPrivateKeyFile: `${etc}/kubelet.key`,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    clusterDNS: [nameServer],
    clusterDomain,
    resolvConf: `${etc}/resolv.conf`, // for dnsPolicy Default
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    cgroupsPerQOS: true,
    enforceNodeAllocatable: ['pods'],
    failSwapOn: false,
    oomScoreAdj: 0,
    maxOpenFiles: 20_000,
    // The disk is the whole machine's: a full one must not look like a node's fault, nor take images away.
    evictionHard: { 'nodefs.available': '0%', 'nodefs.inodesFree': '0%', 'imagefs.available': '0%' },
    imageGCHighThresholdPercent: 100,
    serializeImagePulls: false,
    podLogsDir: '/var/log/pods',
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    // Quick signs of life, to fit the short grace period of the node controller.
    nodeStatusUpdateFrequency: '5s',
    nodeLeaseDurationSeconds: 12,
    systemReserved: {
      cpu: `${Math.max(0, machine.cpu - size.cpu)}m`,
      memory: `${Math.max(0, machine.memory - size.memory)}`,
    },
  });
}

/** KubeProxyConfiguration. */
export function kubeProxyConfig(kubeconfig: string, node: string, podRange: string): string {
  return JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig },
    mode: 'iptables', // there is no IPVS on such machines
    hostnameOverride: node,
    clusterCIDR: podRange,
    oomScoreAdj: 0,
    conntrack: { maxPerCore: 0, min: 0 },
  });
}
