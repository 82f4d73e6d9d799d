import { existsSync } from 'node:fs';
import { cp, link, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { provideBaseImage } from '../cluster/baseimage.ts';
import { buildImage, type BuiltImage } from '../cluster/buildah.ts';
import { hashContents } from '../cluster/hashing.ts';
import { cacheRoot, projectRoot } from '../cluster/paths.ts';
import { provideWheels } from './wheels.ts';

/** Runs from its own wheel inside the build, so that the image's base needs no pip. */
const pip = 'pip==26.3';

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
  const pinned = (await readFile(requirements, 'utf8'))
    .split('\n')
    .filter((line) => /^[a-z_]+==/i.test(line));
  const wheels = await provideWheels('JAX and what it needs (150 MB)', [...pinned, pip], 20, progress);
  const base = await provideBaseImage(
    { packages: ['ca-certificates', 'libstdc++6', 'python3'], node: false },
    progress,
  );
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
