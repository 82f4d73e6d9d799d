import { existsSync, realpathSync } from 'node:fs';
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buildInto, hasImage } from './buildah.ts';
import { run } from './exec.ts';
import { hashContents } from './hashing.ts';
import { withLock } from './lock.ts';
import { cacheRoot, projectRoot } from './paths.ts';
import { reportWhile } from './progress.ts';

export interface BaseImageOptions {
  /** Debian packages on top of the essential ones. */
  readonly packages: readonly string[];
  /** Whether to add the project's own Node and the machine's npm, as the public Node image has them. */
  readonly node: boolean;
}

/** What Node needs of Debian. */
export const nodePackages = ['ca-certificates', 'libstdc++6', 'libatomic1'] as const;

const suite = 'bookworm';

/** Root file system of a small Debian as a tar in the cache. */
async function provideDebian(packages: readonly string[], progress: (line: string) => void): Promise<string> {
  const names = [...packages].toSorted();
  const file = join(cacheRoot(), 'images', `debian-${suite}-${await hashContents(names)}.tar`);
  await mkdir(dirname(file), { recursive: true });
  await withLock(`${file}.lock`, async () => {
    if (existsSync(file)) return;
    // The name must end in .tar: mmdebstrap goes by it.
    const partial = file.replace(/\.tar$/, '.partial.tar');
    await rm(partial, { force: true });
    const flags = ['--quiet', '--variant=essential', `--include=${names.join(',')}`];
    const work = run('mmdebstrap', [...flags, suite, partial], { timeoutMs: 20 * 60_000 });
    await reportWhile(progress, `Making a Debian ${suite} with ${names.join(', ')}`, 40, work);
    await rename(partial, file);
  });
  return file;
}

/** Files of npm as the machine has them: the public Node image brings it too, and a Dockerfile may run it. */
function findNpm(): string | undefined {
  const commands = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'npm'));
  return commands
    .filter((command) => existsSync(command))
    .map((command) => dirname(dirname(realpathSync(command))))
    .find((folder) => existsSync(join(folder, 'bin/npm-cli.js')));
}

async function nodeVersion(): Promise<string> {
  const node = join(projectRoot, 'node_modules/node/bin/node');
  return (await run(node, ['--version'])).trim();
}

const nodeLines = `COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
`;

/**
 * Stands in for the public images that cannot be pulled: Debian, with the project's Node when wanted. Returns a
 * reference for a Dockerfile's base argument; the image stays in buildah's store.
 */
export async function provideBaseImage(
  options: BaseImageOptions,
  progress: (line: string) => void,
): Promise<string> {
  const packages = options.node ? [...new Set([...nodePackages, ...options.packages])] : options.packages;
  const rootfs = await provideDebian(packages, progress);
  const dockerfile = `FROM scratch\nADD rootfs.tar /\n${options.node ? nodeLines : ''}CMD ["/bin/sh"]\n`;
  const version = options.node ? await nodeVersion() : '';
  const tag = await hashContents([dockerfile, version, rootfs]);
  const reference = `localhost/ebbflow-base:${tag}`;
  await withLock(join(cacheRoot(), 'images', 'base.lock'), async () => {
    if (await hasImage(reference)) return;
    const context = join(cacheRoot(), 'images', `base-${tag}.context`);
    await rm(context, { recursive: true, force: true });
    await mkdir(context, { recursive: true });
    try {
      await run('ln', [rootfs, join(context, 'rootfs.tar')]);
      if (options.node) {
        const npm = findNpm();
        if (npm === undefined) throw new Error('there is no npm on PATH to put into the image');
        await cp(join(projectRoot, 'node_modules/node/bin/node'), join(context, 'node'), {
          dereference: true,
        });
        await cp(npm, join(context, 'npm'), { recursive: true });
      }
      await writeFile(join(context, 'Dockerfile'), dockerfile);
      const work = buildInto(reference, join(context, 'Dockerfile'), context);
      await reportWhile(progress, 'Making the base image', 15, work);
    } finally {
      await rm(context, { recursive: true, force: true });
    }
  });
  return reference;
}
