#!/usr/bin/env node
// Runs one of the project's TypeScript programs under the Node version that package.json pins, installing the npm
// packages first where they are missing or older than the lockfile. Plain JavaScript without imports of our own,
// because it is what the machine's own Node (>= 20) starts on a fresh clone.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  process.stderr.write('usage: node test/support/bootstrap.mjs PROGRAM.ts [ARGUMENT...]\n');
  process.exit(2);
}

/** The packages of a lockfile that every machine needs, as `path version` (those for other platforms are optional). */
function versions(file) {
  if (!existsSync(file)) return [];
  return Object.entries(JSON.parse(readFileSync(file, 'utf8')).packages)
    .filter(([path, entry]) => path !== '' && entry.optional !== true)
    .map(([path, entry]) => `${path} ${entry.version}`);
}

// npm keeps a lockfile of what it really installed; it says more than a stamp of ours could.
const present = new Set(versions(join(root, 'node_modules', '.package-lock.json')));
const installed = versions(join(root, 'package-lock.json')).every((entry) => present.has(entry));
if (!installed) {
  process.stderr.write('Installing npm packages (about 20 s)...\n');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 'inherit'],
  });
  if (npm.status !== 0) {
    process.stderr.write('npm ci failed; its own words are above. Try it by hand in the same directory.\n');
    process.exit(1);
  }
}

const node = join(root, 'node_modules', 'node', 'bin', 'node');
const child = spawn(node, [join(root, program), ...args], {
  stdio: 'inherit',
  // Paths that a user types are from where they are; npm itself goes to the root of the project.
  cwd: process.env.INIT_CWD ?? process.cwd(),
  env: { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH}` },
});
// A signal may be for this process alone, and where it is for the whole group the program has it twice: it is for the
// program to take that for one. The shell that npm starts passes nothing on; hence `exec` in package.json.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) =>
  process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]),
);
