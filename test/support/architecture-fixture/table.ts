/**
 * Which part of the project may import which, as a table, and examples of what it forbids. oxlint enforces the same
 * from regular expressions; the two are written apart, so that a slip in one shows.
 */
import { posix } from 'node:path';

export interface Import {
  /** Path of the importing file from the root of the project. */
  readonly file: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

interface Part {
  readonly files: RegExp;
  /** What may be imported, of ours by path from the root. A file of the same folder always may. */
  readonly values: RegExp;
  /** What may beyond that be imported as a type. */
  readonly types?: RegExp;
  readonly node: RegExp | false;
  readonly packages: RegExp | false;
}

const NOTHING = /^$/;
const ANY = /./;
const WORKER_PACKAGES = /^(@aws-sdk\/|undici$|zod$|pino$|re2|node:)/;

/** Those parts of the controller library that only compute. */
const PURE_KUBE =
  /^operator\/(api|kube\/(types|errors|conditions|key|clock|resource|resource-version|logger|metrics|owners|text|limiter)\.ts$)/;

/** Files of operator/pipelinerun that have effects; all others there are pure. */
const EFFECTS =
  /^operator\/pipelinerun\/(apply|applyjob|applypod|asknodes|effects|finalize|nodeswriter|reclaimjob|reconcile|commit|commits|controller|caches|admission|write|observe|workers)\.ts$/;

/** The first part whose pattern fits the file counts. */
const PARTS: readonly Part[] = [
  // The name of a Job carries a digest.
  { files: /^operator\/api\/names\.ts$/, values: NOTHING, node: /^node:crypto$/, packages: /^zod$/ },
  { files: /^operator\/api\//, values: NOTHING, node: false, packages: /^zod$/ },
  {
    files: /^operator\/kube\//,
    values: NOTHING,
    types: /^operator\/telemetry\//,
    node: ANY,
    packages: /^(@kubernetes\/client-node|undici|yaml)/,
  },
  {
    files: /^operator\/telemetry\//,
    values: NOTHING,
    types: /^operator\/(kube|api)\//,
    node: ANY,
    packages: /^(pino|prom-client|fastify)$/,
  },
  {
    files: /^operator\/nodes\/watch\.ts$/,
    values: /^operator\/(api|kube)\//,
    types: /^operator\/telemetry\//,
    node: false,
    packages: false,
  },
  {
    files: /^operator\/nodes\//,
    values: PURE_KUBE,
    types: /^operator\/(kube|telemetry)\//,
    node: false,
    packages: false,
  },
  {
    files: /^operator\/stages\//,
    values: /^(operator\/api|workers\/contract)\//,
    types: /^operator\/kube\//,
    node: false,
    packages: /^zod$/,
  },
  {
    files: EFFECTS,
    values: /^(operator\/(api|kube|nodes|stages)|workers\/contract)\//,
    types: /^operator\/(results|telemetry|workerapi)\//,
    node: ANY,
    packages: /^zod$/,
  },
  {
    files: /^operator\/pipelinerun\//,
    values: new RegExp(`${PURE_KUBE.source}|^(operator/(nodes|stages)|workers/contract)/`),
    types: /^operator\/(results|telemetry)\//,
    node: false,
    packages: /^zod$/,
  },
  {
    files: /^operator\/(results|workerapi)\//,
    values: new RegExp(`${PURE_KUBE.source}|^workers/(contract|s3)/`),
    types: /^operator\/(kube|telemetry|results|workerapi)\//,
    node: ANY,
    packages: /^(zod|fastify|undici|@aws-sdk\/|@fastify\/)/,
  },
  // The composition root.
  { files: /^operator\/[^/]+\.ts$/, values: /^(operator|workers)\//, node: ANY, packages: ANY },
  { files: /^workers\/contract\//, values: NOTHING, node: false, packages: /^zod$/ },
  { files: /^workers\/http\//, values: NOTHING, node: ANY, packages: false },
  { files: /^workers\/s3\//, values: /^workers\/(contract|http)\//, node: ANY, packages: WORKER_PACKAGES },
  { files: /^workers\//, values: /^(operator\/api|workers)\//, node: ANY, packages: WORKER_PACKAGES },
  // The entry of the image loads the role that it is asked for.
  { files: /^cli\/entry\.ts$/, values: /^(operator\/main\.ts$|workers\/)/, node: ANY, packages: false },
  {
    files: /^cli\//,
    values: /^(operator\/(api|stages)|workers|cli)\//,
    node: ANY,
    packages: /^(zod|undici|yaml)$/,
  },
];

/** Why this import is not allowed; undefined when it is. */
export function judgeImport({ file, specifier, typeOnly }: Import): string | undefined {
  const part = PARTS.find(({ files }) => files.test(file));
  if (part === undefined) return `${file} belongs to no part that the table knows`;
  const folder = posix.dirname(file);
  let allowed: boolean;
  if (specifier.startsWith('.')) {
    const target = posix.join(folder, specifier);
    const own = target.startsWith(`${folder}/`) || `${posix.dirname(target)}/`.startsWith(`${areaOf(file)}/`);
    allowed = own || part.values.test(target) || (typeOnly && part.types?.test(target) === true);
  } else if (specifier.startsWith('node:')) allowed = part.node !== false && part.node.test(specifier);
  else allowed = part.packages !== false && part.packages.test(specifier);
  return allowed ? undefined : `${file} must not import ${specifier}${typeOnly ? ' (type)' : ''}`;
}

/** `operator/results` of `operator/results/api/list.ts`. */
function areaOf(file: string): string {
  return file.split('/').slice(0, 2).join('/');
}

/** What both oxlint and the table must refuse. */
export const FORBIDDEN: readonly (readonly [file: string, statement: string])[] = [
  ['operator/api/x.ts', "import { a } from 'node:fs';"],
  ['operator/api/x.ts', "import { a } from 'node:fs/promises';"],
  ['operator/api/x.ts', "import { a } from 'node:crypto';"],
  ['operator/api/x.ts', "import type { A } from '../kube/types.ts';"],
  ['operator/kube/x.ts', "import { a } from '../api/names.ts';"],
  ['operator/kube/x.ts', "import type { A } from '../pipelinerun/types.ts';"],
  ['operator/kube/x.ts', "import { a } from '../telemetry/metrics.ts';"],
  ['operator/telemetry/x.ts', "import { a } from '../kube/client.ts';"],
  ['operator/telemetry/x.ts', "import { a } from '../results/commit.ts';"],
  ['operator/nodes/x.ts', "import { a } from '../kube/reflector.ts';"],
  ['operator/nodes/x.ts', "import { a } from '../pipelinerun/plan.ts';"],
  ['operator/nodes/x.ts', "import { a } from 'node:timers/promises';"],
  ['operator/nodes/watch.ts', "import { a } from '../pipelinerun/plan.ts';"],
  ['operator/stages/x.ts', "import { a } from '../kube/conditions.ts';"],
  ['operator/stages/x.ts', "import { a } from '../pipelinerun/job.ts';"],
  ['operator/stages/x.ts', "import { a } from 'node:os';"],
  ['operator/pipelinerun/plan.ts', "import { a } from 'node:fs/promises';"],
  ['operator/pipelinerun/plan.ts', "import { a } from '../kube/http-client.ts';"],
  ['operator/pipelinerun/plan.ts', "import { a } from '../kube/store.ts';"],
  ['operator/pipelinerun/plan.ts', "import { a } from '@kubernetes/client-node';"],
  ['operator/pipelinerun/plan.ts', "import { a } from '../results/commit.ts';"],
  ['operator/pipelinerun/plan.ts', "import { a } from '../../workers/s3/client.ts';"],
  ['operator/pipelinerun/plan.ts', "import { a } from '../workerapi/grants.ts';"],
  ['operator/pipelinerun/apply.ts', "import { a } from '../results/commit.ts';"],
  ['operator/pipelinerun/workers.ts', "import { a } from '../workerapi/server.ts';"],
  ['operator/pipelinerun/apply.ts', "import { a } from '@kubernetes/client-node';"],
  ['operator/pipelinerun/apply.ts', "import { a } from '../../test/support/fake.ts';"],
  ['operator/results/x.ts', "import { a } from '../pipelinerun/plan.ts';"],
  ['operator/results/x.ts', "import { a } from '../kube/http-client.ts';"],
  ['operator/results/api/x.ts', "import { a } from '../../kube/http-client.ts';"],
  ['operator/workerapi/x.ts', "import { a } from '../stages/copy.ts';"],
  ['operator/workerapi/x.ts', "import { a } from '../results/commit.ts';"],
  ['workers/contract/x.ts', "import { a } from 'node:zlib';"],
  ['workers/contract/x.ts', "import { a } from '../s3/client.ts';"],
  ['workers/contract/x.ts', "import { a } from '../../operator/api/names.ts';"],
  ['workers/http/x.ts', "import { a } from '../s3/client.ts';"],
  ['workers/http/x.ts', "import { a } from '../contract/keys.ts';"],
  ['operator/results/x.ts', "import { a } from '../../workers/http/connections.ts';"],
  ['workers/s3/x.ts', "import { a } from '../../operator/api/names.ts';"],
  ['workers/s3/x.ts', "import { a } from '../copy/plan.ts';"],
  ['workers/copy/x.ts', "import { a } from '../../operator/kube/client.ts';"],
  ['workers/copy/x.ts', "import type { A } from '../../operator/pipelinerun/types.ts';"],
  ['workers/train/x.ts', "import { a } from '@kubernetes/client-node';"],
  ['workers/train/x.ts', "import { a } from '../../cli/main.ts';"],
  ['cli/x.ts', "import { a } from '../operator/pipelinerun/plan.ts';"],
  ['cli/x.ts', "import { a } from '../operator/kube/client.ts';"],
];

/** What neither may refuse. */
export const ALLOWED: readonly (readonly [file: string, statement: string])[] = [
  ['operator/api/names.ts', "import { createHash } from 'node:crypto';"],
  ['operator/api/x.ts', "import { z } from 'zod';"],
  ['operator/kube/x.ts', "import type { A } from '../telemetry/metrics.ts';"],
  ['operator/kube/x.ts', "import { a } from 'node:fs/promises';"],
  ['operator/nodes/x.ts', "import type { A } from '../kube/client.ts';"],
  ['operator/nodes/watch.ts', "import { a } from '../kube/reflector.ts';"],
  ['operator/pipelinerun/plan.ts', "import { a } from './graph.ts';"],
  ['operator/pipelinerun/plan.ts', "import { a } from '../kube/conditions.ts';"],
  ['operator/pipelinerun/plan.ts', "import type { A } from '../results/types.ts';"],
  ['operator/pipelinerun/plan.ts', "import { a } from '../../workers/contract/keys.ts';"],
  ['operator/pipelinerun/apply.ts', "import { a } from '../kube/errors.ts';"],
  ['operator/pipelinerun/controller.ts', "import { a } from '../kube/controller.ts';"],
  ['operator/pipelinerun/workers.ts', "import type { A } from '../workerapi/types.ts';"],
  ['operator/results/x.ts', "import { a } from '../../workers/s3/client.ts';"],
  ['operator/results/api/x.ts', "import type { A } from '../../kube/client.ts';"],
  ['operator/main.ts', "import { a } from './kube/http-client.ts';"],
  ['workers/copy/x.ts', "import { a } from '../../operator/api/copystage.ts';"],
  ['workers/s3/x.ts', "import { a } from '../http/connections.ts';"],
  ['cli/entry.ts', "import '../operator/main.ts';"],
  ['cli/x.ts', "import { a } from '../operator/stages/copy.ts';"],
];

const STATEMENT =
  /\b(?:import|export)\s+(type\s+)?(?:[\w*\s{},$]+?\s+from\s+)?['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g;

/** Every import of a TypeScript text: static, dynamic, and re-exports. */
export function readImports(file: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(STATEMENT)].map(([, type, from, dynamic]) => ({
    file,
    specifier: from ?? dynamic ?? '',
    typeOnly: type !== undefined,
  }));
}
