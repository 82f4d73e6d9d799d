import { addressesOf, type HostAddresses } from './addresses.ts';
import { execute, run } from './exec.ts';

/** Makes the bridge that carries the API server, S3 and all nodes of a cluster. */
export async function makeBridge(cluster: number): Promise<void> {
  const { bridge, bridgeAddress } = addressesOf(cluster);
  await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
  await run('ip', ['address', 'add', `${bridgeAddress}/24`, 'dev', bridge]);
  await run('ip', ['link', 'set', bridge, 'up']);
}

/** Network namespace with one cable to the bridge and the machine as its way out. */
export async function plugIn(cluster: number, host: HostAddresses): Promise<void> {
  const { bridge, bridgeAddress } = addressesOf(cluster);
  await run('ip', ['netns', 'add', host.netns]);
  await run('ip', ['link', 'add', host.cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.netns]);
  await run('ip', ['link', 'set', host.cable, 'master', bridge, 'up']);
  const lines = [
    'link set lo up',
    `address add ${host.address}/24 dev eth0`,
    'link set eth0 up',
    `route add default via ${bridgeAddress}`,
  ];
  await run('ip', ['-n', host.netns, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

/** Lets the machine and the other nodes reach a new node's pods, and its pods theirs. */
export async function addPodRoutes(host: HostAddresses, others: readonly HostAddresses[]): Promise<void> {
  const route = (to: HostAddresses) => ['route', 'replace', to.pods, 'via', to.address];
  await run('ip', route(host));
  if (others.length > 0) {
    const lines = others.map((other) => route(other).join(' '));
    await execute('ip', ['-n', host.netns, '-force', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }
  // A node that is being torn down at this moment needs no route any more: its failure is none.
  await Promise.all(others.map((other) => execute('ip', ['-n', other.netns, ...route(host)])));
}

/** Undoes plugIn and addPodRoutes; what is gone already does not matter. */
export async function unplug(host: HostAddresses, others: readonly HostAddresses[] = []): Promise<void> {
  await execute('ip', ['route', 'delete', host.pods, 'via', host.address]);
  await Promise.all(
    others.map((other) =>
      execute('ip', ['-n', other.netns, 'route', 'delete', host.pods, 'via', host.address]),
    ),
  );
  await execute('ip', ['link', 'delete', host.cable]);
  await execute('ip', ['netns', 'delete', host.netns]);
}

/** Removes everything of a cluster's network by its names, whether or not its state is still readable. */
export async function removeNetwork(cluster: number): Promise<void> {
  const { bridge } = addressesOf(cluster);
  const listed = await execute('ip', ['netns', 'list']);
  const namespaces = listed.stdout
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(`${bridge}-`));
  for (const name of namespaces) await execute('ip', ['netns', 'delete', name]);
  const links = await execute('ip', ['-o', 'link', 'show', 'type', 'veth']);
  for (const [, cable] of links.stdout.matchAll(/^\d+: ([^:@]+)/gm)) {
    if (cable?.startsWith(`${bridge}v`)) await execute('ip', ['link', 'delete', cable]);
  }
  await execute('ip', ['link', 'delete', bridge]);
}
