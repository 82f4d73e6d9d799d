import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '../cluster/exec.ts';
import { testKubeconfig } from '../support/examples/server.ts';
import { at, chart, helm } from './helm.ts';

const release = `chart-${process.pid}`;
const CRD = 'customresourcedefinition/pipelineruns.ebbflow.dev';
let hadCrd = false;

/** `kubectl`, as administrator, in the namespace of the release; rejects with its words when it fails. */
async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await tryKubectl(args, input);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

function tryKubectl(args: readonly string[], input?: string) {
  return execute('kubectl', ['--kubeconfig', testKubeconfig(), '--namespace', release, ...args], { input });
}

async function helmHere(command: string, ...more: string[]): Promise<string> {
  const { code, stdout, stderr } = await helm([
    command,
    release,
    ...more,
    '--kubeconfig',
    testKubeconfig(),
    '--namespace',
    release,
  ]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

const values = ['--set', 'results.bucket=results,results.existingSecret=s3,image.pullPolicy=Never'];

async function json(...args: string[]): Promise<unknown> {
  return JSON.parse(await kubectl([...args, '--output', 'json']));
}

let notes = '';
beforeAll(async () => {
  hadCrd = (await tryKubectl(['get', CRD])).code === 0;
  // Whatever the rest of a test cluster's life has left there, this release takes over.
  notes = await helmHere('install', chart, '--create-namespace', '--take-ownership', ...values);
}, 60_000);

afterAll(async () => {
  await helmHere('uninstall', '--ignore-not-found');
  if (!hadCrd) await kubectl(['delete', CRD, '--timeout=30s', '--ignore-not-found']);
  await kubectl(['delete', 'namespace', release, '--wait=false']);
}, 60_000);

test('the notes name the next three commands', () => {
  expect(notes).toContain(`kubectl -n ${release} rollout status deployment/${release}-ebbflow`);
  expect(notes).toContain('kubectl explain pipelineruns.ebbflow.dev.spec.stages');
  expect(notes).toContain('kubectl get ebb');
});

test('an upgrade keeps the certificate, and the same chart again changes nothing', async () => {
  const tls = async () => at(await json('get', 'secret', `${release}-ebbflow-worker-tls`), 'data');
  const generation = async () =>
    at(await json('get', 'deployment', `${release}-ebbflow`), 'metadata.generation');
  const before = await tls();
  expect(Object.keys(Object(before))).toHaveLength(3);
  expect(await generation()).toBe(1);
  await helmHere('upgrade', chart, ...values);
  expect(await tls()).toEqual(before);
  expect(await generation()).toBe(1);
  await helmHere('upgrade', chart, ...values, '--set', 'operator.logLevel=debug');
  expect(await tls()).toEqual(before);
  expect(await generation()).toBe(2);
});

test('a namespace that enforces Pod Security restricted takes the pod', async () => {
  await kubectl([
    'label',
    'namespace',
    release,
    'pod-security.kubernetes.io/enforce=restricted',
    '--overwrite',
  ]);
  const template = Object(at(await json('get', 'deployment', `${release}-ebbflow`), 'spec.template'));
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'probe' }, spec: template.spec };
  const words = await kubectl(['create', '--dry-run=server', '--filename', '-'], JSON.stringify(pod));
  expect(words).toContain('pod/probe created');
});

describe('the operator, as the API server sees it,', () => {
  test.each([
    ['yes', 'create', 'jobs.batch'],
    ['yes', 'watch', 'pods'],
    ['yes', 'get', 'pods', '--subresource=log'],
    ['yes', 'patch', 'pipelineruns.ebbflow.dev', '--subresource=status'],
    ['yes', 'create', 'tokenreviews.authentication.k8s.io'],
    ['no', 'get', 'secrets'],
    ['no', 'get', 'configmaps'],
    ['no', 'create', 'pods'],
    ['no', 'create', 'pods', '--subresource=exec'],
    ['no', 'delete', 'nodes'],
    ['no', 'create', 'pipelineruns.ebbflow.dev'],
    ['no', 'update', 'leases.coordination.k8s.io'],
  ])('%s: %s %s %s', async (answer, ...question) => {
    const who = `--as=system:serviceaccount:${release}:${release}-ebbflow`;
    const { stdout } = await tryKubectl(['auth', 'can-i', ...question.filter((word) => word), who]);
    expect(stdout.trim()).toBe(answer);
  });
});

test('who may edit the namespace may create runs, who may view it only sees them', async () => {
  for (const role of ['edit', 'view'])
    await kubectl(['create', 'rolebinding', role, `--clusterrole=${role}`, `--user=${role}or`]);
  const may = async (user: string, verb: string) =>
    (await tryKubectl(['auth', 'can-i', verb, 'pipelineruns.ebbflow.dev', `--as=${user}`])).stdout.trim();
  // A controller adds the rules to the built-in roles.
  const end = performance.now() + 30_000;
  while ((await may('editor', 'create')) !== 'yes' || (await may('viewor', 'list')) !== 'yes') {
    expect(performance.now()).toBeLessThan(end);
    await sleep(200);
  }
  expect(await may('viewor', 'create')).toBe('no');
  expect(await may('editor', 'patch')).toBe('yes');
});

test('uninstalling keeps the definition and takes everything else', async () => {
  await helmHere('uninstall');
  const left = await kubectl([
    'get',
    'deployments,services,serviceaccounts,secrets,roles,rolebindings,clusterroles,clusterrolebindings',
    '--selector',
    `app.kubernetes.io/instance=${release}`,
    '--output',
    'name',
  ]);
  expect(left).toBe('');
  expect(await kubectl(['get', CRD, '--output', 'name'])).toContain('pipelineruns.ebbflow.dev');
});
