import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { exportLines } from '../cluster/exports.ts';

test('a shell has the environment of the cluster, and its own PATH behind the folders of its programs', () => {
  const lines = exportLines({ SECRET: "it's $HOME", PATH: '/npm/node_modules/.bin' }, ['/a b', '/c']);
  const script = `PATH=/own\neval "$1"\necho "$SECRET|$PATH"`;
  expect(execFileSync('/bin/sh', ['-c', script, 'sh', lines], { encoding: 'utf8' })).toBe(
    "it's $HOME|/a b:/c:/own\n",
  );
});
