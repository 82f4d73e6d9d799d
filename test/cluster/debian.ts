import { existsSync } from 'node:fs';
import { access, chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute, run } from './exec.ts';
import { withLock } from './lock.ts';
import { stateRoot } from './paths.ts';

/** Debian packages the cluster needs, each with a file that proves it is there (also when it came another way). */
const needed: readonly { readonly name: string; readonly proof: string }[] = [
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

const binaryFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

function isPresent(proof: string): boolean {
  return proof.startsWith('/')
    ? existsSync(proof)
    : binaryFolders.some((folder) => existsSync(join(folder, proof)));
}

/** Names of the Debian packages that are missing on this machine. */
export function missingPackages(): readonly string[] {
  return needed.filter(({ proof }) => !isPresent(proof)).map(({ name }) => name);
}

/** Where Debian's tools ask whether they may start a service; 101 means no. */
const policyFile = '/usr/sbin/policy-rc.d';

/** Installs what the cluster needs and this machine lacks. */
export async function installPackages(progress: (line: string) => void): Promise<void> {
  if (missingPackages().length > 0) await installByName(missingPackages, progress);
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
    const missing = ask();
    if (missing.length === 0) return;
    if (!isPresent('apt-get')) {
      throw new Error(`this machine lacks ${missing.join(', ')}, and has no apt-get to install them with`);
    }
    progress(`Installing Debian packages (about 30 s): ${missing.join(' ')}`);
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
      await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], {
        env,
        timeoutMs: 900_000,
      });
    } finally {
      if (ownPolicy) await rm(policyFile, { force: true });
    }
  });
}
