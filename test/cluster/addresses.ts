/** How many clusters one machine can have at once: every one owns slices of the ranges below. */
export const maximumClusters = 48;

/** Hosts on a cluster's bridge. Workers get the indexes from `firstWorker` to `lastWorker`. */
export const hosts = { bridge: 1, karpenter: 2, systemNode: 3, firstWorker: 10, lastWorker: 250 } as const;

/** Every address and kernel-wide name of a cluster follows from its number, so two clusters never meet. */
export interface Addresses {
  /** Bridge in the root network namespace; also the name of the parent cgroup. */
  readonly bridge: string;
  readonly bridgeAddress: string;
  /** Own loopback address for what only the machine itself may reach (etcd, metrics of the controllers). */
  readonly loopback: string;
  readonly podRange: string;
  readonly serviceRange: string;
  /** The API server as Service `kubernetes`, always the first of the range. */
  readonly apiService: string;
  readonly apiServer: string;
  readonly s3Endpoint: string;
}

export interface HostAddresses {
  readonly address: string;
  readonly netns: string;
  /** End of the cable in the root namespace; interface names end at 15 characters. */
  readonly cable: string;
  readonly pods: string;
}

export function addressesOf(cluster: number): Addresses {
  const bridgeAddress = `10.199.${cluster}.${hosts.bridge}`;
  const services = `10.198.${cluster * 4}`;
  return {
    bridge: `ebb${cluster}`,
    bridgeAddress,
    loopback: `127.99.${cluster}.1`,
    podRange: `10.${200 + cluster}.0.0/16`,
    serviceRange: `${services}.0/22`,
    apiService: `${services}.1`,
    apiServer: `https://${bridgeAddress}:6443`,
    s3Endpoint: `http://${bridgeAddress}:7070`,
  };
}

export function hostAddresses(cluster: number, host: number): HostAddresses {
  return {
    address: `10.199.${cluster}.${host}`,
    netns: `ebb${cluster}-${host}`,
    cable: `ebb${cluster}v${host}`,
    pods: `10.${200 + cluster}.${host}.0/24`,
  };
}
