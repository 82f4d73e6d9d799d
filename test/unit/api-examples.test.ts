import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { API_VERSION, KIND } from '../../operator/api/names.ts';
import { validateSpec } from '../../operator/api/validate.ts';

const root = join(import.meta.dirname, '../..');
const run = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  metadata: z.object({ name: z.string() }),
  spec: z.unknown(),
});

const isRun = (manifest: unknown) =>
  typeof manifest === 'object' && Reflect.get(Object(manifest), 'kind') === KIND;

/** Every PipelineRun in examples/, by file. */
const examples = globSync('examples/**/*.yaml', { cwd: root }).flatMap((file) =>
  parseAllDocuments(readFileSync(join(root, file), 'utf8'))
    .map((document): unknown => document.toJS())
    .filter(isRun)
    .map((manifest) => ({ file, ...run.parse(manifest) })),
);

test('there is an example', () => {
  expect(examples.map((example) => example.file)).toContain('examples/pipelinerun.yaml');
});

describe('what users copy is valid', () => {
  test.each(examples)('$file: $metadata.name', ({ metadata, spec }) => {
    expect(validateSpec(spec, metadata.name)).toEqual([]);
  });
});
