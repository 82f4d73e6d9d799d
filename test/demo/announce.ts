import { createInterface } from 'node:readline/promises';
import { findUncompiled } from '../cluster/binaries.ts';
import { missingPackages } from '../cluster/debian.ts';
import { cacheRoot, stateRoot } from '../cluster/paths.ts';
import { programs } from './setup.ts';

export interface Intent {
  readonly keep: boolean;
  /** Debian packages that are to be installed. */
  readonly packages: readonly string[];
  /** Programs that are to be compiled, and how long that usually takes. */
  readonly uncompiled: { readonly names: readonly string[]; readonly usualSeconds: number };
  readonly cache: string;
  readonly state: string;
}

/** What the demo is about to do to this machine. */
export function describeIntent({ keep, packages, uncompiled, cache, state }: Intent): string[] {
  const minutes = Math.max(1, Math.floor(uncompiled.usualSeconds / 60));
  return [
    'This starts a real Kubernetes on this machine, installs Ebbflow in it, runs examples/pipelinerun.yaml and',
    `${keep ? 'leaves all of it up, for 4 hours at most' : 'takes everything down again'}. It needs root for network namespaces, mounts, cgroups and containers. It will`,
    packages.length === 0
      ? '  - install no Debian packages: all that are needed are there'
      : `  - install these Debian packages: ${packages.join(' ')}`,
    uncompiled.names.length === 0
      ? '  - compile no upstream programs: all that are needed are in the cache'
      : `  - compile ${uncompiled.names.join(', ')} from Go modules, once (about ${minutes} minutes on 2 cores)`,
    '  - download JAX and the data of scikit-learn from PyPI, and build two images, where the cache lacks them',
    `  - keep all of that in ${cache}, and clusters in ${state}; both may be deleted while no cluster is up`,
    `  - start processes, bridges and cgroups whose names begin with "ebb", and remove them ${keep ? 'when the cluster is taken down' : 'at the end'}`,
  ];
}

/** Says it, and asks where somebody can answer. Resolves with false when they do not want it. */
export async function announce(
  { yes, keep }: { readonly yes: boolean; readonly keep: boolean },
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const uncompiled = await findUncompiled(programs);
  const places = { cache: cacheRoot(), state: stateRoot() };
  describeIntent({ keep, packages: missingPackages(), uncompiled, ...places }).forEach(say);
  if (yes || !process.stdin.isTTY || !process.stdout.isTTY) return true;
  const questions = createInterface({ input: process.stdin, output: process.stdout });
  // While it asks, readline takes Ctrl-C for itself.
  questions.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await questions.question('Go ahead? [Y/n] ', { signal });
    return /^(y(es)?)?$/i.test(answer.trim());
  } finally {
    questions.close();
  }
}
