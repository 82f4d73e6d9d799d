/**
 * Writes the CRD from the schemas in operator/api: `npm run crds`. With --check it writes nothing and fails when a
 * file differs from what the schemas say.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from './files.ts';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');
let stale = 0;

for (const [path, text] of generatedFiles()) {
  const file = join(root, path);
  if (read(file) === text) continue;
  if (check) {
    stale++;
    console.error(`${path} differs from the schemas in operator/api: run npm run crds`);
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote ${path}`);
  }
}
if (stale > 0) process.exitCode = 1;

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
