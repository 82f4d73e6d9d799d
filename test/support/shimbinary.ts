import { existsSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../cluster/exec.ts';
import { provideGo } from '../cluster/go.ts';
import { hashContents } from '../cluster/hashing.ts';
import { withLock } from '../cluster/lock.ts';
import { cacheRoot, projectRoot } from '../cluster/paths.ts';

/** The shim, compiled as the Dockerfile does it, once for a state of its sources. Returns its path in the cache. */
export async function provideShim(progress: (line: string) => void = () => undefined): Promise<string> {
  const source = join(projectRoot, 'workers/shim');
  const go = await provideGo(progress);
  const sources = (await readdir(source)).filter((name) => !name.endsWith('_test.go')).toSorted();
  const folder = join(cacheRoot(), 'shim');
  await mkdir(folder, { recursive: true });
  const file = join(folder, `ebbflow-shim-${await hashContents([go.version], source, sources)}`);
  if (existsSync(file)) return file;
  await withLock(join(folder, 'build.lock'), async () => {
    if (existsSync(file)) return;
    const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
    const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', `${file}.partial`, '.'];
    await run(go.command, args, { cwd: source, env, timeoutMs: 300_000 });
    await rename(`${file}.partial`, file);
  });
  return file;
}
