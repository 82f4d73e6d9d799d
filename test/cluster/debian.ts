import { existsSync } from 'node:fs';
import { access, chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute, run } from './exec.ts';
import { withLock } from './lock.ts';
import { stateRoot } from './paths.ts';

interface DebianPackage {
  readonly name: string;
  /** A file that proves it is there, also when it came another way. */
  readonly proof: string;
}

/** What the cluster needs. */
const needed: readonly DebianPackage[] = [
  { name: 'containerd', proof: 'containerd' },
  { name: 'runc', proof: 'runc' },
  { name: 'containernetworking-plugins', proof: '/usr/lib/cni/bridge' },
  { name: 'iptables', proof: 'iptables' },
  { name: 'iproute2', proof: 'ip' },
  { name: 'conntrack', proof: 'conntrack' },
  { name: 'socat', proof: 'socat' }, // kubectl port-forward
  { name: 'util-linux', proof: 'nsenter' },
  { name: 'mount', proof: 'mount' },
  { name: 'buildah', proof: 'buildah' },
  { name: 'mmdebstrap', proof: 'mmdebstrap' },
  { name: 'ca-certificates', proof: '/etc/ssl/certs/ca-certificates.crt' },
];

/** Ceph's S3 gateway and what it keeps objects in: a second server for tests, beside versitygw. */
const neededByTests: readonly DebianPackage[] = [
  { name: 'ceph-mon', proof: 'ceph-mon' },
  { name: 'ceph-osd', proof: 'ceph-osd' },
  { name: 'radosgw', proof: 'radosgw' },
];

const binaryFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

function isPresent(proof: string): boolean {
  return proof.startsWith('/')
    ? existsSync(proof)
    : binaryFolders.some((folder) => existsSync(join(folder, proof)));
}

function missing(packages: readonly DebianPackage[]): readonly string[] {
  return packages.filter(({ proof }) => !isPresent(proof)).map(({ name }) => name);
}

/** Names of the Debian packages that the cluster needs and this machine lacks. */
export function missingPackages(): readonly string[] {
  return missing(needed);
}

/** Where Debian's tools ask whether they may start a service; 101 means no. */
const policyFile = '/usr/sbin/policy-rc.d';

/** Installs what the cluster needs and this machine lacks. */
export async function installPackages(progress: (line: string) => void): Promise<void> {
  if (missingPackages().length > 0) await installByName(missingPackages, progress);
}

/** Installs what only tests need: about 60 packages, 650 MB on disk. */
export async function installTestPackages(progress: (line: string) => void): Promise<void> {
  const ask = (): readonly string[] => missing(neededByTests);
  if (ask().length > 0) await installByName(ask, progress);
}

/**
 * Installs Debian packages; which ones is asked again once no other process of ours is installing. No service is
 * started by it: the nodes run their own containerd, and a machine's own one is none of our business.
 */
export async function installByName(
  ask: () => readonly string[],
  progress: (line: string) => void,
): Promise<void> {
  await withLock(join(stateRoot(), 'apt.lock'), async () => {
    const names = ask();
    if (names.length === 0) return;
    if (!isPresent('apt-get')) {
      throw new Error(`this machine lacks ${names.join(', ')}, and has no apt-get to install them with`);
    }
    progress(`Installing Debian packages (about 30 s): ${names.join(' ')}`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const ownPolicy = await access(policyFile).then(
      () => false,
      () => true,
    );
    if (ownPolicy) {
      await writeFile(policyFile, '#!/bin/sh\nexit 101\n');
      await chmod(policyFile, 0o755);
    }
    try {
      const update = await execute('apt-get', ['update', '-q'], { env, timeoutMs: 300_000 });
      if (update.code !== 0)
        progress(`apt-get update ended with code ${update.code}; trying with the lists there are`);
      await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], {
        env,
        timeoutMs: 900_000,
      });
    } finally {
      if (ownPolicy) await rm(policyFile, { force: true });
    }
  });
}
