/**
 * The project's image, from its own Dockerfile. What the Dockerfile's first stages would fetch and compile is made
 * outside (its header says how), because packages cannot be fetched from inside a build everywhere.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { provideBaseImage } from '../cluster/baseimage.ts';
import { type BuiltImage, buildImage } from '../cluster/buildah.ts';
import { run } from '../cluster/exec.ts';
import { provideGo } from '../cluster/go.ts';
import { hashContents } from '../cluster/hashing.ts';
import { withLock } from '../cluster/lock.ts';
import { cacheRoot, projectRoot } from '../cluster/paths.ts';
import { reportWhile } from '../cluster/progress.ts';

type Progress = (line: string) => void;

/** Builds the image of this checkout, or takes it from the cache when nothing in it has changed. */
export async function provideProjectImage(progress: Progress): Promise<BuiltImage> {
  const sources = ['operator', 'workers', 'cli', 'rolldown.config.ts', 'package.json', 'package-lock.json'];
  const [compiled, shim, base] = [
    await provideTree('compiled', sources, 5, bundle, progress),
    await provideTree('shim', ['workers/shim'], 10, (tree) => buildShim(tree, progress), progress),
    await provideBaseImage({ packages: [], node: true }, progress),
  ];
  return await buildImage(
    {
      name: 'ebbflow',
      dockerfile: join(projectRoot, 'Dockerfile'),
      context: projectRoot,
      buildArgs: { RUNTIME_IMAGE: base, NODE_IMAGE: base, GO_IMAGE: base },
      buildContexts: { compiled, shim },
      cacheKeyFiles: [...sources, 'workers/shim', 'Dockerfile'],
      usualSeconds: 20,
    },
    progress,
  );
}

/** A directory in the cache, keyed by the sources it was made from; `rootfs/` in it is what goes into the image. */
async function provideTree(
  name: string,
  sources: readonly string[],
  usualSeconds: number,
  fill: (tree: string) => Promise<void>,
  progress: Progress,
): Promise<string> {
  const key = await hashContents([name], projectRoot, sources);
  const tree = join(cacheRoot(), 'trees', `${name}-${key}`);
  await mkdir(join(cacheRoot(), 'trees'), { recursive: true });
  await withLock(`${tree}.lock`, async () => {
    if (existsSync(tree)) return;
    const partial = `${tree}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(join(partial, 'rootfs'), { recursive: true });
    await reportWhile(
      progress,
      `Compiling ${name === 'shim' ? 'the shim' : 'the operator and workers'}`,
      usualSeconds,
      fill(partial),
    );
    await rename(partial, tree);
  });
  return tree;
}

async function bundle(tree: string): Promise<void> {
  const app = join(tree, 'rootfs/app');
  await mkdir(join(tree, 'rootfs/usr/local/bin'), { recursive: true });
  const rolldown = join(projectRoot, 'node_modules/.bin/rolldown');
  await run(rolldown, ['-c', 'rolldown.config.ts', '-d', app], { cwd: projectRoot, timeoutMs: 300_000 });
  await chmod(join(app, 'entry.mjs'), 0o755);
  await symlink('/app/entry.mjs', join(tree, 'rootfs/usr/local/bin/ebbflow'));
}

async function buildShim(tree: string, progress: Progress): Promise<void> {
  const go = await provideGo(progress);
  const target = join(tree, 'rootfs/usr/local/bin/ebbflow-shim');
  await run(go.command, ['build', '-trimpath', '-ldflags=-s -w', '-o', target, '.'], {
    cwd: join(projectRoot, 'workers/shim'),
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
    timeoutMs: 300_000,
  });
}
