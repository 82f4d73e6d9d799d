import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '../cluster/paths.ts';
import { at, find, type Manifest, render } from './helm.ts';

const kinds = (manifests: readonly Manifest[]) => manifests.map((manifest) => manifest.kind);

test('the definition in the chart is the one in crds/, kept when the release is uninstalled', async () => {
  const plain: Manifest = parse(
    readFileSync(join(projectRoot, 'crds/ebbflow.dev_pipelineruns.yaml'), 'utf8'),
  );
  const rendered = find(await render(), 'CustomResourceDefinition');
  expect(rendered['spec']).toEqual(plain['spec']);
  expect(rendered.metadata).toMatchObject({
    name: plain.metadata.name,
    annotations: { 'helm.sh/resource-policy': 'keep' },
  });
});

test('the definition can be left out, or go with the release', async () => {
  expect(kinds(await render({ values: { 'crds.enabled': false } }))).not.toContain(
    'CustomResourceDefinition',
  );
  const gone = find(await render({ values: { 'crds.keep': false } }), 'CustomResourceDefinition');
  expect(gone.metadata.annotations).toBeUndefined();
});

test('the certificate of the worker API is for its Service, from a CA of its own whose key is not kept', async () => {
  const secret = find(await render({ release: 'blue', namespace: 'data' }), 'Secret');
  const file = (name: string) => {
    const value = Reflect.get(Object(secret['data']), name);
    return Buffer.from(String(value), 'base64').toString();
  };
  expect(Object.keys(Object(secret['data'])).toSorted()).toEqual(['ca.crt', 'tls.crt', 'tls.key']);
  const authority = new X509Certificate(file('ca.crt'));
  const certificate = new X509Certificate(file('tls.crt'));
  expect(authority.ca).toBe(true);
  expect(certificate.verify(authority.publicKey)).toBe(true);
  expect(certificate.checkHost('blue-ebbflow-worker.data.svc')).toBe('blue-ebbflow-worker.data.svc');
  expect(certificate.checkPrivateKey(createPrivateKey(file('tls.key')))).toBe(true);
  expect(authority.checkPrivateKey(createPrivateKey(file('tls.key')))).toBe(false);
});

test('a certificate of your own is mounted instead', async () => {
  const manifests = await render({ values: { 'workerApi.tls.existingSecret': 'mine' } });
  expect(kinds(manifests)).not.toContain('Secret');
  expect(at(find(manifests, 'Deployment'), 'spec.template.spec.volumes.2.secret.secretName')).toBe('mine');
});

test('the Services lead to the operator, and never to the results API', async () => {
  const manifests = await render({ values: { 'workerApi.port': 9443, 'metrics.port': 9090 } });
  const labels = at(find(manifests, 'Deployment'), 'spec.template.metadata.labels');
  const services = manifests.filter((manifest) => manifest.kind === 'Service');
  for (const service of services) expect(labels).toMatchObject(Object(at(service, 'spec.selector')));
  expect(services.map((service) => [service.metadata.name, at(service, 'spec.ports')])).toEqual([
    ['ebbflow-worker', [{ name: 'worker-api', port: 9443, targetPort: 'worker-api' }]],
    ['ebbflow-metrics', [{ name: 'metrics', port: 9090, targetPort: 'metrics' }]],
  ]);
  expect(at(find(manifests, 'Deployment'), 'spec.template.spec.containers.0.ports')).toEqual([
    { name: 'worker-api', containerPort: 9443 },
    { name: 'metrics', containerPort: 9090 },
  ]);
});

test('a PodMonitor where the cluster knows the kind', async () => {
  const options = {
    values: { 'metrics.podMonitor.enabled': true, 'metrics.podMonitor.labels': { release: 'prometheus' } },
    apiVersions: ['monitoring.coreos.com/v1/PodMonitor'],
  };
  const manifests = await render(options);
  const monitor = find(manifests, 'PodMonitor');
  expect(monitor.metadata.labels).toMatchObject({ release: 'prometheus' });
  expect(at(monitor, 'spec.podMetricsEndpoints')).toEqual([
    { port: 'metrics', path: '/metrics', interval: '30s' },
  ]);
  const labels = at(find(manifests, 'Deployment'), 'spec.template.metadata.labels');
  expect(labels).toMatchObject(Object(at(monitor, 'spec.selector.matchLabels')));
});

test('a network policy lets in workers and metrics only', async () => {
  expect(kinds(await render())).not.toContain('NetworkPolicy');
  const policy = find(await render({ values: { 'networkPolicy.enabled': true } }), 'NetworkPolicy');
  expect(at(policy, 'spec.policyTypes')).toEqual(['Ingress']);
  expect(at(policy, 'spec.ingress')).toEqual([
    { from: [{ namespaceSelector: {} }], ports: [{ port: 'worker-api' }] },
    { from: [{ namespaceSelector: {} }], ports: [{ port: 'metrics' }] },
  ]);
});

test('every object of a namespace says which, and all carry the labels of the release', async () => {
  const cluster = ['ClusterRole', 'ClusterRoleBinding', 'CustomResourceDefinition'];
  for (const manifest of await render({ values: { 'networkPolicy.enabled': true } })) {
    expect(manifest.metadata.namespace).toBe(cluster.includes(manifest.kind) ? undefined : 'ebbflow-system');
    expect(manifest.metadata.labels).toMatchObject({
      'app.kubernetes.io/instance': 'ebbflow',
      'app.kubernetes.io/managed-by': 'Helm',
    });
  }
});
