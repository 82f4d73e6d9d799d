import { createInterface } from 'node:readline/promises';
import { missingPackages } from '../cluster/debian.ts';
import { cacheRoot, stateRoot } from '../cluster/paths.ts';

/** What the demo is about to do to this machine. */
export function describeIntent(missing: readonly string[], cache: string, state: string): string[] {
  return [
    'This starts a real Kubernetes on this machine, installs Ebbflow in it, runs examples/pipelinerun.yaml and takes',
    'everything down again. It needs root for network namespaces, mounts, cgroups and containers. It will',
    missing.length === 0
      ? '  - install no Debian packages: all that are needed are there'
      : `  - install these Debian packages: ${missing.join(' ')}`,
    '  - compile etcd, Kubernetes, Karpenter, versitygw and helm from Go modules, once (about 9 minutes on 2 cores)',
    '  - download JAX and the data of scikit-learn from PyPI, and build two images, once',
    `  - keep all of that in ${cache}, and clusters in ${state}; both may be deleted at any time`,
    '  - start processes, bridges and cgroups whose names begin with "ebb", and remove them at the end',
  ];
}

/** Says it, and asks where somebody can answer. Resolves with false when they do not want it. */
export async function announce(
  yes: boolean,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  describeIntent(missingPackages(), cacheRoot(), stateRoot()).forEach(say);
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
