import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from '../../operator/config.ts';
import { projectRoot } from '../cluster/paths.ts';
import { at, find, type Manifest, render, type RenderOptions } from './helm.ts';

const CONTAINER = 'spec.template.spec.containers.0';

function text(node: unknown, path: string): string | undefined {
  const value = at(node, path);
  return typeof value === 'string' ? value : undefined;
}

async function deployment(options: RenderOptions = {}): Promise<Manifest> {
  return find(await render(options), 'Deployment');
}

/** The variables as the pod sees them: what the kubelet fills in, filled in. */
function environmentOf(manifest: Manifest): Record<string, string> {
  const kubelet: Record<string, string> = {
    'metadata.namespace': 'ebbflow-system',
    'metadata.name': 'ebbflow-0',
    EBBFLOW_WORKER_SERVICE_HOST: '10.96.0.7',
  };
  const list = at(manifest, `${CONTAINER}.env`);
  const variables = Array.isArray(list) ? list : [];
  return Object.fromEntries(
    variables.map((variable): [string, string] => {
      const value =
        text(variable, 'value') ?? kubelet[text(variable, 'valueFrom.fieldRef.fieldPath') ?? ''] ?? '';
      return [
        text(variable, 'name') ?? '',
        value.replaceAll(/\$\((\w+)\)/g, (_, name: string) => kubelet[name] ?? ''),
      ];
    }),
  );
}

test('one operator at a time', async () => {
  const { spec } = await deployment();
  expect(spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
});

test('the pod is restricted', async () => {
  const manifest = await deployment();
  expect(at(manifest, 'spec.template.spec.securityContext')).toMatchObject({
    runAsNonRoot: true,
    runAsUser: 65532,
    runAsGroup: 65532,
    fsGroup: 65532,
    seccompProfile: { type: 'RuntimeDefault' },
  });
  expect(at(manifest, `${CONTAINER}.securityContext`)).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  expect(at(manifest, 'spec.template.spec.hostNetwork')).toBeUndefined();
});

test('nothing is written but to bounded emptyDirs', async () => {
  const volumes = at(
    await deployment({ values: { 'results.existingSecret': 's3' } }),
    'spec.template.spec.volumes',
  );
  expect(volumes).toEqual([
    { name: 'index', emptyDir: { sizeLimit: '1Gi' } },
    { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
    { name: 'tls', secret: { secretName: 'ebbflow-worker-tls', defaultMode: 0o440 } },
    { name: 'results', secret: { secretName: 's3', defaultMode: 0o440 } },
  ]);
});

test('probes ask for life and readiness on the metrics port', async () => {
  const manifest = await deployment();
  expect(at(manifest, `${CONTAINER}.livenessProbe.httpGet`)).toEqual({ path: '/healthz', port: 'metrics' });
  expect(at(manifest, `${CONTAINER}.readinessProbe.httpGet`)).toEqual({ path: '/readyz', port: 'metrics' });
});

test('the operator can read its configuration from what the chart sets', async () => {
  const values = {
    'results.endpoint': 'http://s3:7070',
    'results.existingSecret': 's3',
    clusterName: 'blue',
  };
  const environment = environmentOf(await deployment({ values }));
  expect(readConfig(environment)).toEqual({
    image: 'ebbflow:0.1.0',
    cluster: 'blue',
    results: {
      endpoint: 'http://s3:7070',
      region: 'us-east-1',
      bucket: 'results',
      addressing: 'Path',
      credentials: '/etc/ebbflow/results',
    },
    tlsDirectory: '/etc/ebbflow/tls',
    workerApi: { host: '10.96.0.7', port: 8443, serverName: 'ebbflow-worker.ebbflow-system.svc' },
    metricsPort: 8080,
    resultsPort: 8081,
    indexFile: '/var/lib/ebbflow/index.sqlite',
    commitTimeoutSeconds: 3600,
    nodeLostSeconds: 60,
    copyWorkerShare: 4000,
    concurrency: 16,
    logLevel: 'info',
    namespace: 'ebbflow-system',
    podName: 'ebbflow-0',
  });
});

test('the chart sets every variable that the operator reads, one of Node, and no other', async () => {
  const source = readFileSync(join(projectRoot, 'operator/config.ts'), 'utf8');
  const read = [...source.matchAll(/^ {2}(EBBFLOW_\w+):/gm)].map((found) => found[1] ?? '');
  expect(Object.keys(environmentOf(await deployment())).toSorted()).toEqual(
    [...read, 'NODE_OPTIONS'].toSorted(),
  );
});

test('no variable holds a credential, and without a Secret there is workload identity', async () => {
  const environment = environmentOf(await deployment());
  expect(Object.keys(environment).filter((name) => /KEY|TOKEN|PASSWORD/.test(name))).toEqual([]);
  expect(readConfig(environment).results).toEqual({
    region: 'us-east-1',
    bucket: 'results',
    addressing: 'Virtual',
  });
});

test.each([
  [{ 'image.repository': 'registry.example.com/ebbflow' }, 'registry.example.com/ebbflow:0.1.0'],
  [{ 'image.tag': 'main' }, 'ebbflow:main'],
  [{ 'image.tag': 'main', 'image.digest': `sha256:${'a'.repeat(64)}` }, `ebbflow@sha256:${'a'.repeat(64)}`],
])('the image of %j is %s, for the operator and for workers', async (values, image) => {
  const manifest = await deployment({ values });
  expect(at(manifest, `${CONTAINER}.image`)).toBe(image);
  expect(environmentOf(manifest)['EBBFLOW_IMAGE']).toBe(image);
});

test('another release name and namespace go everywhere', async () => {
  const environment = environmentOf(await deployment({ release: 'blue', namespace: 'data' }));
  expect(environment['EBBFLOW_WORKER_API_SERVER_NAME']).toBe('blue-ebbflow-worker.data.svc');
  const raw = JSON.stringify(await deployment({ release: 'blue', namespace: 'data' }));
  expect(raw).toContain('$(BLUE_EBBFLOW_WORKER_SERVICE_HOST)');
});

test('an address for workers can be given', async () => {
  const environment = environmentOf(await deployment({ values: { 'workerApi.host': '192.0.2.1' } }));
  expect(environment['EBBFLOW_WORKER_API_HOST']).toBe('192.0.2.1');
});

test('where the operator runs can be said', async () => {
  const values = {
    nodeSelector: { 'ebbflow.dev/pool': 'system' },
    tolerations: [{ key: 'a', operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    priorityClassName: 'system-cluster-critical',
    dnsPolicy: 'Default',
    imagePullSecrets: [{ name: 'registry' }],
    podLabels: { team: 'data' },
    podAnnotations: { note: 'x' },
  };
  const manifest = await deployment({ values });
  const { podLabels, podAnnotations, ...podSpec } = values;
  expect(at(manifest, 'spec.template.spec')).toMatchObject(podSpec);
  expect(at(manifest, 'spec.template.metadata.labels')).toMatchObject(podLabels);
  expect(at(manifest, 'spec.template.metadata.annotations')).toMatchObject(podAnnotations);
});
