/** Helm on our chart, for tests. */
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { provideBinaries } from '../cluster/binaries.ts';
import { type ExecOptions, execute } from '../cluster/exec.ts';
import { projectRoot } from '../cluster/paths.ts';
import type { CommandResult } from '../cluster/types.ts';

export const chart = join(projectRoot, 'charts/ebbflow');

/** A rendered Kubernetes object; what a test reads of it stays untyped. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [member: string]: unknown;
}

let binary: Promise<string> | undefined;

/** The pinned helm, compiled on first use where the cache lacks it. */
async function provideHelm(): Promise<string> {
  binary ??= provideBinaries(['helm'], () => {}).then((paths) => {
    const path = paths['helm'];
    if (path === undefined) throw new Error('the test cluster has no helm');
    return path;
  });
  return binary;
}

export async function helm(args: readonly string[], options: ExecOptions = {}): Promise<CommandResult> {
  return execute(await provideHelm(), args, { timeoutMs: 50_000, ...options });
}

export interface RenderOptions {
  /** Values by path, as after --set-json. The bucket is set unless given. */
  values?: Record<string, unknown>;
  release?: string;
  namespace?: string;
  /** API versions that the cluster has, beyond those of Kubernetes. */
  apiVersions?: readonly string[];
}

function renderArguments({
  values = {},
  release = 'ebbflow',
  namespace = 'ebbflow-system',
  apiVersions = [],
}: RenderOptions) {
  const all = { 'results.bucket': 'results', ...values };
  return [
    'template',
    release,
    chart,
    '--namespace',
    namespace,
    '--kube-version',
    '1.34.0',
    ...apiVersions.flatMap((version) => ['--api-versions', version]),
    ...Object.entries(all).flatMap(([path, value]) => ['--set-json', `${path}=${JSON.stringify(value)}`]),
  ];
}

const rendered = new Map<string, Promise<Manifest[]>>();

/** Everything that the chart renders with these values. Rejects with Helm's words where it refuses them. */
export function render(options: RenderOptions = {}): Promise<Manifest[]> {
  const args = renderArguments(options);
  const key = JSON.stringify(args);
  const known = rendered.get(key);
  if (known !== undefined) return known;
  const fresh = renderFresh(args);
  rendered.set(key, fresh);
  return fresh;
}

async function renderFresh(args: readonly string[]): Promise<Manifest[]> {
  const result = await helm(args);
  if (result.code !== 0) throw new Error(result.stderr);
  return parseAllDocuments(result.stdout)
    .map((document): Manifest => document.toJS())
    .filter((manifest) => manifest !== null);
}

export function find(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name),
  );
  const [only] = found;
  if (only === undefined || found.length > 1)
    throw new Error(
      `${found.length} objects of kind ${kind}${name === undefined ? '' : ` named ${name}`}, not one`,
    );
  return only;
}

/** The value at a path such as `spec.template.spec.containers.0.image`; undefined where there is none. */
export function at(node: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
      node,
    );
}
