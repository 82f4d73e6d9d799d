import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './exec.ts';
import { hashContents } from './hashing.ts';
import { withLock } from './lock.ts';
import { unmountBelow } from './mounts.ts';
import { cacheRoot } from './paths.ts';
import { reportWhile } from './progress.ts';

export interface ImageRequest {
  /** Last part of the name: `localhost/NAME:TAG`. */
  readonly name: string;
  /** Default: the hash of everything the image is made of. Never `latest`, which would be looked up in a registry. */
  readonly tag?: string;
  /** Absolute path, or the text itself when it has more than one line. */
  readonly dockerfile: string;
  /** Absolute path of the build context. */
  readonly context: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Directories that stand in for stages of the Dockerfile, by the name of the stage. */
  readonly buildContexts?: Readonly<Record<string, string>>;
  /** Files and folders below the context that the image depends on; with the Dockerfile and the arguments they are the cache key. */
  readonly cacheKeyFiles: readonly string[];
  /** For the progress display, in seconds. Default 30. */
  readonly usualSeconds?: number;
}

export interface BuiltImage {
  /** What a pod says: `localhost/NAME:TAG`. */
  readonly reference: string;
  /** Docker archive in the cache; what startCluster takes. */
  readonly archive: string;
}

const env = (): NodeJS.ProcessEnv => ({
  ...process.env,
  STORAGE_DRIVER: 'overlay',
  BUILDAH_ISOLATION: 'chroot',
});

/** A store of its own in the cache, apart from anything else on the machine. */
const storageFolder = (): string => join(cacheRoot(), 'buildah', 'storage');

async function buildah(args: readonly string[], onLine?: (line: string) => void): Promise<string> {
  const store = join(cacheRoot(), 'buildah');
  await mkdir(store, { recursive: true });
  const policy = join(store, 'policy.json');
  if (!existsSync(policy)) await writeFile(policy, '{"default": [{"type": "insecureAcceptAnything"}]}');
  const place = ['--root', storageFolder(), '--runroot', join('/run/ebbflow-buildah')];
  const signed = ['build', 'push', 'pull'].includes(args[0] ?? '') ? ['--signature-policy', policy] : [];
  const [command = '', ...rest] = args;
  return run('buildah', [...place, command, ...signed, ...rest], {
    env: env(),
    timeoutMs: 20 * 60_000,
    ...(onLine === undefined ? {} : { onLine }),
  });
}

/** Whether buildah's store has the image, so that a Dockerfile can start FROM it. */
export async function hasImage(reference: string): Promise<boolean> {
  const listed = await buildah(['images', '--format', '{{.Name}}:{{.Tag}}']).catch(() => '');
  return listed.split('\n').includes(reference);
}

/** Builds a Dockerfile into buildah's store. */
export async function buildInto(
  reference: string,
  dockerfile: string,
  context: string,
  buildArgs: Readonly<Record<string, string>> = {},
  buildContexts: Readonly<Record<string, string>> = {},
): Promise<void> {
  const args = [
    ...Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ...Object.entries(buildContexts).flatMap(([name, path]) => ['--build-context', `${name}=${path}`]),
  ];
  await withLock(join(cacheRoot(), 'buildah.lock'), async () => {
    await buildah(['rm', '--all']); // what a killed build left behind
    try {
      await buildah([
        'build',
        '--pull-never',
        '--layers',
        '-t',
        reference,
        '-f',
        dockerfile,
        ...args,
        context,
      ]);
    } catch (error) {
      await unmountBelow(storageFolder()); // it may have been interrupted, and then leaves its mounts
      throw error;
    }
  });
}

/** Earlier archives of an image go, except the two before this one. */
async function forgetOldArchives(folder: string, name: string): Promise<void> {
  const pattern = new RegExp(`^${name}-[0-9a-f]{16}\\.tar$`);
  const files = readdirSync(folder)
    .filter((file) => pattern.test(file))
    .toSorted((a, b) => statSync(join(folder, b)).mtimeMs - statSync(join(folder, a)).mtimeMs);
  for (const file of files.slice(3)) await rm(join(folder, file), { force: true });
}

async function exportArchive(reference: string, archive: string): Promise<void> {
  await rm(archive, { force: true });
  await buildah(['push', '--quiet', reference, `docker-archive:${archive}:${reference}`]);
}

/** Builds an image from a Dockerfile and exports it, unless exactly this image is in the cache already. */
export async function buildImage(
  request: ImageRequest,
  progress: (line: string) => void,
): Promise<BuiltImage> {
  const folder = join(cacheRoot(), 'images');
  await mkdir(folder, { recursive: true });
  const isText = request.dockerfile.includes('\n');
  const args = JSON.stringify(request.buildArgs ?? {});
  const key = isText
    ? await hashContents([request.name, args, request.dockerfile], request.context, request.cacheKeyFiles)
    : await hashContents(
        [request.name, args, await hashContents([], '/', [request.dockerfile])],
        request.context,
        request.cacheKeyFiles,
      );
  const reference = `localhost/${request.name}:${request.tag ?? key}`;
  const archive = join(folder, `${request.name}-${key}.tar`);
  if (existsSync(archive)) return { reference, archive };
  await withLock(join(folder, 'build.lock'), async () => {
    if (existsSync(archive)) return;
    const written = join(folder, `${request.name}-${key}.Dockerfile`);
    if (isText) await writeFile(written, request.dockerfile);
    const file = isText ? written : request.dockerfile;
    const work = async () => {
      await buildInto(reference, file, request.context, request.buildArgs, request.buildContexts);
      await exportArchive(reference, `${archive}.partial`);
    };
    await reportWhile(progress, `Building image ${request.name}`, request.usualSeconds ?? 30, work());
    await rename(`${archive}.partial`, archive);
    await rm(written, { force: true });
    await forgetOldArchives(folder, request.name);
  });
  return { reference, archive };
}
