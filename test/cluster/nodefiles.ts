import { existsSync, readdirSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './exec.ts';

const snapshotter = 'io.containerd.snapshotter.v1.overlayfs';
/** Files of a containerd store that are written while it is used, below its root. */
export const databases = ['io.containerd.metadata.v1.bolt/meta.db', `${snapshotter}/metadata.db`];
const contents = 'io.containerd.content.v1.content';

/** A folder of the template that the node sees, read-only, at a place of its own. */
export interface SharedFolder {
  readonly from: string;
  readonly to: string;
}

/**
 * Gives a node its own containerd store filled with the template's images, in milliseconds whatever their size: the
 * databases are copied, image blobs (never written after import) are hard links, and the unpacked layers are mounted
 * read-only from the template. Returns those mounts.
 */
export async function copyTemplate(template: string, target: string): Promise<SharedFolder[]> {
  const source = join(template, 'containerd');
  for (const file of databases) {
    await mkdir(dirname(join(target, file)), { recursive: true });
    await copyFile(join(source, file), join(target, file));
  }
  if (existsSync(join(source, contents))) await run('cp', ['-al', join(source, contents), target]);
  const layers = join(source, snapshotter, 'snapshots');
  const shared = readdirSync(layers).map((layer) => ({
    from: join(layers, layer),
    to: join(target, snapshotter, 'snapshots', layer),
  }));
  await Promise.all(shared.map(({ to }) => mkdir(to, { recursive: true })));
  return shared;
}

/** Where the programs of a node look by default, and which folder of the node is there instead. */
const places: Readonly<Record<string, string>> = {
  '/var/lib/containerd': 'containerd',
  '/run/containerd': 'run',
  '/var/lib/kubelet': 'kubelet',
  '/var/log/pods': 'logs/pods',
  '/var/log/containers': 'logs/containers',
  '/etc/cni/net.d': 'cni',
  '/var/lib/cni': 'cni-state',
  '/run/netns': 'netns',
};

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * First process of a node: makes its view of the file system, then only keeps it (and the network namespace) alive.
 * Nothing of it is seen outside.
 */
export function anchorScript(folder: string, shared: readonly SharedFolder[]): string {
  const bind = (from: string, to: string) => `mount --bind ${quote(from)} ${quote(to)}`;
  return [
    'set -eu',
    'mount --make-rprivate /',
    // Other nodes' namespaces would be kept alive by this copy of the mount table.
    'for other in /run/netns/*; do umount "$other" 2>/dev/null || true; done',
    ...shared.flatMap(({ from, to }) => [bind(from, to), `mount -o remount,bind,ro ${quote(to)}`]),
    `mkdir -p ${Object.keys(places).join(' ')}`,
    ...Object.entries(places).map(([place, name]) => `mount --rbind ${quote(join(folder, name))} ${place}`),
    'mount --make-rshared /',
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    `: > ${quote(join(folder, 'mounted'))}`,
    'exec sleep infinity',
    '',
  ].join('\n');
}
