/**
 * The project's image, from its own Dockerfile. What the Dockerfile's first stages would fetch and compile is made
 * outside (its header says how), because packages cannot be fetched from inside a build everywhere.
 */
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, rename, rm, symlink } from 'node:fs/promises';
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
  const sources = ['operator', 'workers', 'cli', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
  const [compiled, shim, base] = [
    await provideTree(
      'compiled',
      [...sources, 'package-lock.json'],
      20,
      (tree) => compile(tree, progress),
      progress,
    ),
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
      cacheKeyFiles: [...sources, 'package-lock.json', 'workers/shim', 'Dockerfile'],
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

async function compile(tree: string, progress: Progress): Promise<void> {
  const app = join(tree, 'rootfs/app');
  await mkdir(join(tree, 'rootfs/usr/local/bin'), { recursive: true });
  const tsc = join(projectRoot, 'node_modules/.bin/tsc');
  await run(
    tsc,
    ['-p', join(projectRoot, 'tsconfig.build.json'), '--outDir', join(app, 'dist'), '--sourceMap', 'false'],
    { timeoutMs: 300_000 },
  );
  await cp(await provideModules(progress), join(app, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  await cp(join(projectRoot, 'package.json'), join(app, 'package.json'));
  await chmod(join(app, 'dist/cli/entry.js'), 0o755);
  await symlink('/app/dist/cli/entry.js', join(tree, 'rootfs/usr/local/bin/ebbflow'));
}

/** The packages that the image needs at run time, without their type declarations and source maps. */
async function provideModules(progress: Progress): Promise<string> {
  const key = await hashContents([], projectRoot, ['package-lock.json']);
  const place = join(cacheRoot(), 'trees', `modules-${key}`);
  if (!existsSync(place)) {
    const partial = `${place}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    for (const name of ['package.json', 'package-lock.json'])
      await cp(join(projectRoot, name), join(partial, name));
    const flags = ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await reportWhile(
      progress,
      'Installing the packages of the image',
      20,
      run('npm', flags, { cwd: partial, timeoutMs: 600_000 }),
    );
    const unread = ['*.map', '*.d.ts', '*.d.mts', '*.d.cts', '*.md'].flatMap((name, index) =>
      index === 0 ? ['-name', name] : ['-o', '-name', name],
    );
    await run('find', [join(partial, 'node_modules'), '-type', 'f', '(', ...unread, ')', '-delete']);
    await rename(partial, place);
  }
  return join(place, 'node_modules');
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
