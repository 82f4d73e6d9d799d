import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailed, type ExecOptions, execute, run } from './exec.ts';
import { findGo, type Go, provideGo } from './go.ts';
import { withLock } from './lock.ts';
import { cacheRoot, modulesRoot } from './paths.ts';
import { reportWhile } from './progress.ts';

const kubernetesVersion = 'v1.34.9';

/** Without these the server calls itself v0.0.0-master, and clients and charts that look at the version are misled. */
const kubernetesVersionFlags = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']
  .flatMap((name) => [
    `-X ${name}.gitVersion=${kubernetesVersion}`,
    `-X ${name}.gitMajor=1`,
    `-X ${name}.gitMinor=34`,
    `-X ${name}.gitTreeState=clean`,
    `-X ${name}.gitCommit=0000000000000000000000000000000000000000`,
    `-X ${name}.buildDate=1970-01-01T00:00:00Z`,
  ])
  .join(' ');

interface Upstream {
  /** Folder under modules/. */
  readonly module: string;
  /** Program name -> Go package. */
  readonly programs: Readonly<Record<string, string>>;
  readonly linkerFlags?: string;
  /** Folders of a module's source that are kept beside the programs: name -> [module, path]. */
  readonly folders?: Readonly<Record<string, readonly [string, string]>>;
  /** What a 2-core machine usually needs with empty caches, in seconds. */
  readonly usualSeconds: number;
}

const kubernetesCommands = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
];

const upstreams = {
  etcd: { module: 'etcd', programs: { etcd: 'go.etcd.io/etcd/server/v3' }, usualSeconds: 40 },
  kubernetes: {
    module: 'kubernetes',
    programs: Object.fromEntries(kubernetesCommands.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`])),
    linkerFlags: kubernetesVersionFlags,
    usualSeconds: 330,
  },
  versitygw: {
    module: 'versitygw',
    programs: { versitygw: 'github.com/versity/versitygw/cmd/versitygw' },
    usualSeconds: 40,
  },
  karpenter: {
    module: 'karpenter',
    programs: { 'karpenter-kwok': 'sigs.k8s.io/karpenter/kwok' },
    folders: {
      'karpenter-crds': ['sigs.k8s.io/karpenter', 'pkg/apis/crds'],
      'karpenter-kwok-crds': ['sigs.k8s.io/karpenter', 'kwok/apis/crds'],
    },
    usualSeconds: 95,
  },
  helm: { module: 'helm', programs: { helm: 'helm.sh/helm/v3/cmd/helm' }, usualSeconds: 70 },
  pause: { module: 'pause', programs: { pause: 'ebbflow.test/cluster/pause' }, usualSeconds: 5 },
  // Only for benchmarks: what `ebbflow copy` is measured against.
  s5cmd: { module: 's5cmd', programs: { s5cmd: 'github.com/peak/s5cmd/v2' }, usualSeconds: 15 },
  rclone: { module: 'rclone', programs: { rclone: 'ebbflow.test/cluster/rclone' }, usualSeconds: 60 },
  kwok: { module: 'kwok', programs: { kwok: 'sigs.k8s.io/kwok/cmd/kwok' }, usualSeconds: 70 },
} satisfies Record<string, Upstream>;

export type UpstreamName = keyof typeof upstreams;

async function cacheKey(upstream: Upstream, go: Go): Promise<string> {
  const hash = createHash('sha256').update(`${go.version}\n${JSON.stringify(upstream)}\n`);
  const folder = join(modulesRoot, upstream.module);
  for (const file of (await readdir(folder)).toSorted()) hash.update(await readFile(join(folder, file)));
  return hash.digest('hex').slice(0, 16);
}

const networkWords =
  /dial tcp|timeout|connection reset|unexpected EOF|TLS handshake|\b50[0-4]\b|no such host/i;

/** Compiles; tries again when it was the network, since all that was compiled before is kept. */
async function goBuild(go: Go, args: readonly string[], options: ExecOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const result = await execute(go.command, args, options);
    if (result.code === 0) return;
    if (attempt === 4 || !networkWords.test(result.stderr)) throw new CommandFailed('go', args, result);
    await sleep(2000 * attempt * (1 + Math.random()));
  }
}

async function build(upstream: Upstream, go: Go, folder: string): Promise<void> {
  const cwd = join(modulesRoot, upstream.module);
  const env = {
    ...process.env,
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
    GOFLAGS: '-mod=readonly -buildvcs=false',
  };
  const timeoutMs = 45 * 60_000;
  const flags = ['build', '-trimpath', '-ldflags', `-s -w ${upstream.linkerFlags ?? ''}`.trim()];
  const programs = Object.entries(upstream.programs);
  const [first] = programs;
  if (programs.length === 1 && first !== undefined) {
    await goBuild(go, [...flags, '-o', join(folder, first[0]), first[1]], { cwd, env, timeoutMs });
  } else {
    // One call for all, so that they share the compilation; each program is then named after its package.
    await goBuild(go, [...flags, '-o', `${folder}/`, ...programs.map(([, name]) => name)], {
      cwd,
      env,
      timeoutMs,
    });
  }
  for (const [name, [module, path]] of Object.entries(upstream.folders ?? {})) {
    const source = await run(go.command, ['list', '-m', '-f', '{{.Dir}}', module], { cwd, env, timeoutMs });
    await cp(join(source.trim(), path), join(folder, name), { recursive: true });
    await run('chmod', ['-R', 'u+w', join(folder, name)]); // the module cache is read-only
  }
}

const folderOf = async (upstream: Upstream, go: Go): Promise<string> =>
  join(cacheRoot(), 'bin', `${upstream.module}-${await cacheKey(upstream, go)}`);

/** What the cache lacks of these, and how long compiling that usually takes on 2 cores, in seconds. */
export async function findUncompiled(
  names: readonly UpstreamName[],
): Promise<{ readonly names: readonly UpstreamName[]; readonly usualSeconds: number }> {
  const go = await findGo();
  const lacking: UpstreamName[] = [];
  for (const name of names) {
    if (go === undefined || !existsSync(await folderOf(upstreams[name], go))) lacking.push(name);
  }
  const usualSeconds = lacking.reduce((sum, name) => sum + upstreams[name].usualSeconds, 0);
  return { names: lacking, usualSeconds };
}

async function provide(name: UpstreamName, go: Go, progress: (line: string) => void): Promise<string> {
  const upstream: Upstream = upstreams[name];
  const folder = await folderOf(upstream, go);
  if (existsSync(folder)) return folder;
  const waiting = (holder: number | undefined) =>
    progress(`Process ${holder ?? '?'} is compiling ${name} already: waiting for it`);
  await withLock(
    `${folder}.lock`,
    async () => {
      if (existsSync(folder)) return;
      const partial = `${folder}.partial`;
      await rm(partial, { recursive: true, force: true });
      await mkdir(partial, { recursive: true });
      const programs = Object.keys(upstream.programs);
      await reportWhile(
        progress,
        `Compiling ${name}`,
        upstream.usualSeconds,
        build(upstream, go, partial),
        programs.length > 1 ? programs.join(', ') : undefined,
      );
      await writeFile(join(partial, 'built-by'), `${go.version}\n`);
      await rename(partial, folder);
    },
    waiting,
  );
  return folder;
}

/** Compiles what the cache lacks, one upstream after the other, and returns the absolute paths of programs and kept folders by name. */
export async function provideBinaries(
  names: readonly UpstreamName[],
  progress: (line: string) => void,
): Promise<Readonly<Record<string, string>>> {
  const go = await provideGo(progress);
  const paths = new Map<string, string>();
  for (const name of names) {
    const folder = await provide(name, go, progress);
    const upstream: Upstream = upstreams[name];
    for (const entry of [...Object.keys(upstream.programs), ...Object.keys(upstream.folders ?? {})]) {
      paths.set(entry, join(folder, entry));
    }
  }
  return Object.fromEntries(paths);
}
