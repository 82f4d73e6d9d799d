import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { addressesOf } from './addresses.ts';
import { ApiClient } from './api.ts';
import { makeCgroup } from './cgroups.ts';
import { pkiFile, writeAuthority, writeCertificate, writeKubeconfig } from './kubeconfig.ts';
import { lastWords, runningProcess, startProcess } from './processes.ts';
import { type ClusterState, programOf } from './state.ts';

function start(state: ClusterState, name: string, flags: Readonly<Record<string, string | number>>): void {
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  const cgroup = `${addressesOf(state.id).bridge}/control`;
  startProcess(state.directory, { name, command: programOf(state, name), args, cgroup });
}

function startEtcd(state: ClusterState): void {
  const { loopback } = addressesOf(state.id);
  start(state, 'etcd', {
    'data-dir': join(state.directory, 'etcd'),
    'listen-client-urls': `http://${loopback}:2379`,
    'advertise-client-urls': `http://${loopback}:2379`,
    'listen-peer-urls': `http://${loopback}:2380`,
    'initial-advertise-peer-urls': `http://${loopback}:2380`,
    'initial-cluster': `default=http://${loopback}:2380`,
    'unsafe-no-fsync': 'true', // it never has to survive the machine
    'log-level': 'warn',
  });
}

function startApiServer(state: ClusterState): void {
  const { bridgeAddress, loopback, serviceRange } = addressesOf(state.id);
  const pki = (name: string) => pkiFile(state.directory, name);
  start(state, 'kube-apiserver', {
    'advertise-address': bridgeAddress,
    'bind-address': bridgeAddress,
    'secure-port': 6443,
    'etcd-servers': `http://${loopback}:2379`,
    'tls-cert-file': pki('apiserver.crt'),
    'tls-private-key-file': pki('apiserver.key'),
    'client-ca-file': pki('ca.crt'),
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': pki('tokens.pub'),
    'service-account-signing-key-file': pki('tokens.key'),
    'service-cluster-ip-range': serviceRange,
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': 'true',
    'kubelet-client-certificate': pki('kubelet-client.crt'),
    'kubelet-client-key': pki('kubelet-client.key'),
    'kubelet-certificate-authority': pki('ca.crt'),
    'kubelet-preferred-address-types': 'InternalIP', // node names are in no DNS, and `kubectl logs` would look there
  });
}

function startControllers(state: ClusterState): void {
  const { loopback, podRange, serviceRange } = addressesOf(state.id);
  const kubeconfig = join(state.directory, 'admin.kubeconfig');
  start(state, 'kube-controller-manager', {
    kubeconfig,
    'bind-address': loopback,
    'leader-elect': 'false',
    'use-service-account-credentials': 'true',
    'root-ca-file': pkiFile(state.directory, 'ca.crt'),
    'service-account-private-key-file': pkiFile(state.directory, 'tokens.key'),
    'cluster-signing-cert-file': pkiFile(state.directory, 'ca.crt'),
    'cluster-signing-key-file': pkiFile(state.directory, 'ca.key'),
    'cluster-cidr': podRange,
    'service-cluster-ip-range': serviceRange,
    'allocate-node-cidrs': 'false', // a node's range follows from its number on the bridge
    'node-monitor-grace-period': `${state.nodeMonitorGraceSeconds}s`,
    'node-monitor-period': '2s',
    // The stock 20 / 30 / 5 are the ceiling of how fast Jobs go, and would be what a test measures.
    'kube-api-qps': 500,
    'kube-api-burst': 1000,
    'concurrent-job-syncs': 50,
  });
  start(state, 'kube-scheduler', {
    kubeconfig,
    'bind-address': loopback,
    'leader-elect': 'false',
    'kube-api-qps': 500,
    'kube-api-burst': 1000,
  });
}

async function writeIdentities(state: ClusterState): Promise<void> {
  const { apiServer, apiService, bridgeAddress } = addressesOf(state.id);
  const authority = await writeAuthority(state.directory);
  const administrator = { commonName: 'ebbflow-admin', organization: 'system:masters' };
  const service = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  await Promise.all([
    writeCertificate(state.directory, authority, 'apiserver', {
      commonName: 'kube-apiserver',
      hosts: [...service, bridgeAddress, apiService],
    }),
    writeCertificate(state.directory, authority, 'kubelet-client', {
      commonName: 'kube-apiserver-kubelet-client',
      organization: 'system:masters',
    }),
    writeCertificate(state.directory, authority, 'admin', administrator),
    writeKubeconfig(state.directory, authority, apiServer, 'admin', administrator),
    writeKubeconfig(state.directory, authority, apiServer, 'kube-proxy', { commonName: 'system:kube-proxy' }),
  ]);
}

/** A client for the harness itself. */
export function connect(state: ClusterState): ApiClient {
  return new ApiClient(state.directory, addressesOf(state.id).apiServer);
}

/** Starts etcd, API server, controllers and scheduler; returns when namespaces can be used. */
export async function startControlPlane(state: ClusterState): Promise<void> {
  await makeCgroup(`${addressesOf(state.id).bridge}/control`);
  await mkdir(join(state.directory, 'etcd'), { recursive: true, mode: 0o700 });
  startEtcd(state);
  await writeIdentities(state);
  startApiServer(state);
  const client = connect(state);
  const hasDied = () => {
    const dead = ['etcd', 'kube-apiserver'].find(
      (name) => runningProcess(state.directory, name) === undefined,
    );
    return dead === undefined ? undefined : `${dead} has ended:\n${lastWords(state.directory, dead)}`;
  };
  try {
    await client.waitFor('/readyz', 120_000, hasDied);
    startControllers(state);
    // Pods are refused until the controller manager has made it.
    await client.waitFor('/api/v1/namespaces/default/serviceaccounts/default', 120_000, hasDied);
  } finally {
    client.close();
  }
}
