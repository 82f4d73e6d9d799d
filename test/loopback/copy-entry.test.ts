import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COPY_USAGE } from '../../cli/copy/options.ts';

/** The image's one entry, with nothing of this process's environment but the way to programs. */
function enter(...args: string[]) {
  const entry = join(import.meta.dirname, '../../cli/entry.ts');
  const env = { PATH: process.env['PATH'] };
  return spawnSync(process.execPath, [entry, ...args], { env, encoding: 'utf8' });
}

test('copy alone is the worker of a stage, with arguments it is the command', () => {
  const worker = enter('copy');
  expect(worker.status).toBe(2);
  expect(worker.stdout).toContain('environment variable EBBFLOW_RUN is missing');
  const command = enter('copy', '--help');
  expect(command.stdout).toBe(COPY_USAGE);
  expect(command.status).toBe(0);
});

test('a command line that is wrong is an answer for programs as well', () => {
  const { status, stdout, stderr } = enter('copy', 's3://raw', '--json');
  expect(status).toBe(2);
  expect(JSON.parse(stdout)).toEqual({
    version: 1,
    result: 'Error',
    exitCode: 2,
    message: 'name a source and a destination: ebbflow copy s3://bucket/prefix s3://bucket/prefix',
  });
  expect(stderr).toContain('try: ebbflow copy --help\n');
});
