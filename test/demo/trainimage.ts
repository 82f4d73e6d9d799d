import { existsSync } from 'node:fs';
import { cp, link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildImage, type BuiltImage, buildInto, hasImage } from '../cluster/buildah.ts';
import { run } from '../cluster/exec.ts';
import { hashContents } from '../cluster/hashing.ts';
import { withLock } from '../cluster/lock.ts';
import { cacheRoot, projectRoot } from '../cluster/paths.ts';
import { reportWhile } from '../cluster/progress.ts';
import { provideWheels } from './wheels.ts';

/** Runs from its own wheel inside the build, so that the image's base needs no pip. */
const pip = 'pip==26.3';

const baseReference = 'localhost/ebbflow-python-base:bookworm-1';

/** Debian 12's python3 and what it needs, without manual pages and translations. */
async function providePythonBase(progress: (line: string) => void): Promise<string> {
  await mkdir(cacheRoot(), { recursive: true });
  const folder = join(cacheRoot(), 'python-base');
  await withLock(`${folder}.lock`, async () => {
    if (await hasImage(baseReference)) return;
    await mkdir(folder, { recursive: true });
    const tar = join(folder, 'base.tar');
    const args = [
      ...['--variant=essential', '--include=python3,ca-certificates', '--quiet'],
      ...['doc', 'man', 'locale', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      ...['bookworm', tar],
    ];
    await rm(tar, { force: true });
    const work = async (): Promise<void> => {
      await run('mmdebstrap', args, { timeoutMs: 900_000 });
      await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\nADD base.tar /\n');
      await buildInto(baseReference, join(folder, 'Dockerfile'), folder);
    };
    await reportWhile(progress, "Making Debian's python3 as a base image", 45, work());
    await rm(folder, { recursive: true, force: true });
  });
  return baseReference;
}

/** The build context: examples/digits with the wheels beside it, because a build may have no way to PyPI. */
async function provideContext(wheels: string): Promise<string> {
  const example = join(projectRoot, 'examples/digits');
  const context = join(cacheRoot(), 'train-context', await hashContents([wheels], example, ['.']));
  if (existsSync(context)) return context;
  const partial = `${context}.${process.pid}`;
  await rm(partial, { recursive: true, force: true });
  await cp(example, partial, { recursive: true });
  await mkdir(join(partial, 'wheels'));
  for (const file of await readdir(wheels)) await link(join(wheels, file), join(partial, 'wheels', file));
  await rename(partial, context).catch(() => rm(partial, { recursive: true, force: true }));
  return context;
}

/** The image of the example's training stage, from its real Dockerfile: Debian's python3 with JAX on the CPU. */
export async function provideTrainImage(progress: (line: string) => void): Promise<BuiltImage> {
  const requirements = join(projectRoot, 'examples/digits/requirements.txt');
  const pinned = (await readFile(requirements, 'utf8')).split('\n').filter((line) => /^[a-z_]+==/i.test(line));
  const wheels = await provideWheels('JAX and what it needs (150 MB)', [...pinned, pip], 20, progress);
  const base = await providePythonBase(progress);
  const context = await provideContext(wheels);
  return buildImage(
    {
      name: 'digits-train',
      dockerfile: join(context, 'Dockerfile'),
      context,
      buildArgs: { BASE: base },
      cacheKeyFiles: ['.'],
      usualSeconds: 90,
    },
    progress,
  );
}
