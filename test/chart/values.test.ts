import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { chart, helm, render } from './helm.ts';

test('helm lint has nothing to say against it', async () => {
  const { code, stdout } = await helm(['lint', '--strict', chart, '--set', 'results.bucket=results']);
  expect(stdout).toContain('0 chart(s) failed');
  expect(code).toBe(0);
});

test.each<[Record<string, unknown>, string]>([
  [{ replicas: 2 }, "additional properties 'replicas' not allowed"],
  [{ 'image.name': 'x' }, "additional properties 'name' not allowed"],
  [{ 'results.secret': 'x' }, "additional properties 'secret' not allowed"],
  [{ 'workerApi.tls.ca': 'x' }, "additional properties 'ca' not allowed"],
  [{ 'image.digest': 'sha256:abc' }, 'does not match pattern'],
  [{ 'image.pullPolicy': 'Sometimes' }, 'value must be one of'],
  [{ 'results.endpoint': 's3://bucket' }, 'does not match pattern'],
  [{ 'results.addressing': 'path' }, 'value must be one of'],
  [{ clusterName: 'Blue' }, 'does not match pattern'],
  [{ 'operator.logLevel': 'trace' }, 'value must be one of'],
  [{ 'operator.commitTimeoutSeconds': 0 }, 'minimum'],
  [{ 'operator.concurrency': '4' }, 'got string, want integer'],
  [{ 'workerApi.port': 443 }, 'minimum'],
  [{ 'results.bucket': '' }, 'results.bucket is required: name the S3 bucket'],
  [{ 'metrics.podMonitor.enabled': true }, 'install the Prometheus operator first'],
])('%j is refused', async (values, words) => {
  await expect(render({ values })).rejects.toThrow(words);
});

test('a Kubernetes that is too old is refused', async () => {
  const { code, stderr } = await helm([
    'template',
    'x',
    chart,
    '--set',
    'results.bucket=r',
    '--kube-version',
    '1.30.0',
  ]);
  expect(code).not.toBe(0);
  expect(stderr).toContain('requires kubeVersion: >=1.31.0-0');
});

test('every value in values.yaml is in the schema, and every object of the schema is closed', () => {
  const values: unknown = parse(readFileSync(join(chart, 'values.yaml'), 'utf8'));
  const schema: Schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8'));
  expect(missing(values, schema, '')).toEqual([]);
  expect(open(schema, '')).toEqual([]);
});

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
}

function missing(value: unknown, schema: Schema, path: string): string[] {
  if (typeof value !== 'object' || value === null || !schema.properties) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const member = schema.properties?.[key];
    return member === undefined ? [`${path}${key}`] : missing(child, member, `${path}${key}.`);
  });
}

function open(schema: Schema, path: string): string[] {
  const own = schema.properties && schema.additionalProperties !== false ? [path] : [];
  const members = Object.entries(schema.properties ?? {});
  return [...own, ...members.flatMap(([key, member]) => open(member, `${path}${key}.`))];
}

test('every line of values.yaml that has a value of its own is explained above it or by its name', () => {
  const lines = readFileSync(join(chart, 'values.yaml'), 'utf8').split('\n');
  const top = lines.filter((line) => /^\w+:/.test(line)).length;
  expect(lines.filter((line) => line.trimStart().startsWith('#')).length).toBeGreaterThan(top);
});
