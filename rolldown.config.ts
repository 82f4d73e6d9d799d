/**
 * `npm run build`: the program and every package it uses, in a few files below dist/. A role loads what it needs as one
 * file instead of some hundred, which halves the time that a worker takes to start. docs/adr/0014-bundle.md says more.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'rolldown';

export default defineConfig({
  input: ['cli/entry.ts', 'cli/main.ts'],
  platform: 'node',
  output: {
    dir: 'dist',
    cleanDir: true,
    format: 'esm',
    // So that Node need not look for a package.json to know what they are.
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
  },
  // What Node does not have is an error now, not when a role starts.
  onLog: (level, log, next) => {
    if (level === 'warn') throw new Error(log.message);
    next(level, log);
  },
  plugins: [keepLicences()],
});

/** Leaves the licence of every package that went into the bundle beside it, as the licences ask. */
function keepLicences(): Plugin {
  return {
    name: 'keep-licences',
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
      const folders = new Set(modules.map(packageFolder).filter((folder) => folder !== undefined));
      const notices = [...folders].map(noticeOf).toSorted();
      this.emitFile({
        type: 'asset',
        fileName: 'LICENCES.txt',
        source: notices.join(`\n${'-'.repeat(80)}\n\n`),
      });
    },
  };
}

/** `…/node_modules/@scope/name` of a module in it. */
function packageFolder(module: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(module)?.[0];
}

function noticeOf(folder: string): string {
  const { name, version, license }: Record<string, unknown> = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? '' : `\n${readFileSync(join(folder, file), 'utf8')}`;
  return `${String(name)} ${String(version)}, ${String(license)}\n${text}`;
}
