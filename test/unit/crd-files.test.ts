import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generatedFiles } from '../../crds/files.ts';

const files = [...generatedFiles()];

test.each(files)('%s is what the schemas say: otherwise run npm run crds', (path, text) => {
  expect(readFileSync(join(import.meta.dirname, '../..', path), 'utf8')).toBe(text);
});

test.each(files)('%s stays far below what etcd and a Helm release can hold', (_, text) => {
  expect(text.length).toBeLessThan(200_000);
});
