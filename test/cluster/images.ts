import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { provideBinaries } from './binaries.ts';
import { buildImage } from './buildah.ts';
import { containerdConfig, pauseReference } from './containerd.ts';
import { run } from './exec.ts';
import { hashContents } from './hashing.ts';
import { withLock } from './lock.ts';
import { databases } from './nodefiles.ts';
import { stateRoot } from './paths.ts';
import { reportWhile } from './progress.ts';
import { listStates } from './state.ts';

/** Archive of the image that holds a pod's namespaces open. */
async function providePauseImage(progress: (line: string) => void): Promise<string> {
  const programs = await provideBinaries(['pause'], progress);
  const context = dirname(programs['pause'] ?? '');
  const [name, tag] = pauseReference.replace('localhost/', '').split(':');
  const image = await buildImage(
    {
      name: name ?? '',
      tag: tag ?? '',
      dockerfile: 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n',
      context,
      cacheKeyFiles: ['pause'],
      usualSeconds: 3,
    },
    progress,
  );
  return image.archive;
}

const fillScript = `set -eu
mount --make-rprivate /
mkdir -p /var/lib/containerd /run/containerd
mount --bind "$1/containerd" /var/lib/containerd
mount -t tmpfs tmpfs /run/containerd
containerd --config "$1/config.toml" >"$1/containerd.log" 2>&1 &
daemon=$!
trap 'kill $daemon; wait $daemon || true' EXIT
for i in $(seq 200); do [ -S /run/containerd/containerd.sock ] && break; sleep 0.05; done
template=$1
shift
for archive in "$@"; do ctr -n k8s.io images import --snapshotter overlayfs "$archive"; done
`;

/** Templates nobody used lately go, except the newest three: one is as large as the images in it. */
async function forgetOldTemplates(root: string): Promise<void> {
  const used = new Set(listStates().map((state) => state.imageTemplate));
  const names = readdirSync(root)
    .filter((name) => /^[0-9a-f]{16}$/.test(name) && !used.has(join(root, name)))
    .toSorted((a, b) => statSync(join(root, b)).mtimeMs - statSync(join(root, a)).mtimeMs);
  for (const name of names.slice(3)) await rm(join(root, name), { recursive: true, force: true });
}

/** Which archives a template was filled from; a line per archive that changes when the archive does. */
function readFacts(template: string): string[] {
  try {
    return readFileSync(join(template, 'archives'), 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** The template that lacks the fewest of the wanted images and has no other. */
function findStart(root: string, facts: readonly string[]): string | undefined {
  const wanted = new Set(facts);
  const usable = readdirSync(root)
    .filter((name) => /^[0-9a-f]{16}$/.test(name))
    .map((name) => ({ path: join(root, name), facts: readFacts(join(root, name)) }))
    .filter(
      (template) => template.facts.every((fact) => wanted.has(fact)) && template.facts[0] !== undefined,
    );
  return usable.toSorted((one, two) => two.facts.length - one.facts.length)[0]?.path;
}

/** Layers and blobs are never written again, so hard links will do; the databases are. */
async function copyStore(from: string, to: string): Promise<void> {
  await run('cp', ['-al', join(from, 'containerd'), to], { timeoutMs: 120_000 });
  for (const file of databases) {
    await rm(join(to, 'containerd', file));
    await copyFile(join(from, 'containerd', file), join(to, 'containerd', file));
  }
}

async function fillTemplate(
  partial: string,
  start: string | undefined,
  archives: readonly string[],
): Promise<void> {
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  if (start !== undefined) await copyStore(start, partial);
  await mkdir(join(partial, 'containerd'), { recursive: true });
  await writeFile(join(partial, 'config.toml'), containerdConfig());
  await run('unshare', ['-m', 'sh', '-c', fillScript, 'sh', partial, ...archives], { timeoutMs: 300_000 });
}

/**
 * A containerd store that holds these images (and the pause image), unpacked. Made once for a set of archives; a
 * node then starts from it without importing anything.
 */
export async function provideTemplate(
  archives: readonly string[],
  progress: (line: string) => void,
): Promise<string> {
  const missing = archives.find((archive) => !existsSync(archive));
  if (missing !== undefined) throw new Error(`there is no image archive ${missing}`);
  const all = [await providePauseImage(progress), ...archives];
  const facts = all.map((archive) => `${archive} ${statSync(archive).size} ${statSync(archive).mtimeMs}`);
  const root = join(stateRoot(), 'templates');
  await mkdir(root, { recursive: true, mode: 0o700 });
  const folder = join(root, await hashContents(facts));
  await withLock(join(root, 'fill.lock'), async () => {
    if (existsSync(folder)) {
      utimesSync(folder, new Date(), new Date());
      return;
    }
    await forgetOldTemplates(root);
    const partial = `${folder}.partial`;
    const start = findStart(root, facts);
    const present = new Set(start === undefined ? [] : readFacts(start));
    const lacking = all.filter((_, index) => !present.has(facts[index] ?? ''));
    const work = fillTemplate(partial, start, lacking);
    await reportWhile(
      progress,
      `Unpacking ${lacking.length} images for the nodes`,
      2 + 5 * lacking.length,
      work,
    );
    await writeFile(join(partial, 'archives'), facts.join('\n'));
    await rename(partial, folder);
  });
  return folder;
}
