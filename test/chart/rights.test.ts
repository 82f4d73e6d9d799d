import { expect, test } from 'vitest';
import { at, find, type Manifest, render } from './helm.ts';

/** `group/resource: verbs` of every rule. */
function rightsOf(role: Manifest): string[] {
  const rules = at(role, 'rules');
  const list = (rule: unknown, member: string) => {
    const value = at(rule, member);
    return Array.isArray(value) ? value.map(String) : [];
  };
  return (Array.isArray(rules) ? rules : []).flatMap((rule: unknown) =>
    list(rule, 'apiGroups').flatMap((group) =>
      list(rule, 'resources').map(
        (resource) => `${group === '' ? 'core' : group}/${resource}: ${list(rule, 'verbs').join(' ')}`,
      ),
    ),
  );
}

test('the operator may do this and nothing else', async () => {
  expect(rightsOf(find(await render(), 'ClusterRole', 'ebbflow'))).toEqual([
    'ebbflow.dev/pipelineruns: get list watch patch update',
    'ebbflow.dev/pipelineruns/status: patch update',
    'ebbflow.dev/pipelineruns/finalizers: patch update',
    'ebbflow.dev/pipelineruns: delete',
    'batch/jobs: get list watch create patch delete',
    'core/pods: get list watch delete',
    'core/pods/status: patch',
    'core/pods/log: get',
    'core/nodes: get list watch',
    'core/namespaces: get',
    'core/events: get list watch',
    'events.k8s.io/events: create patch',
    'authentication.k8s.io/tokenreviews: create',
    'authorization.k8s.io/subjectaccessreviews: create',
  ]);
});

test('no role names Secrets, and none has a wildcard', async () => {
  const roles = (await render()).filter((manifest) => manifest.kind.endsWith('Role'));
  expect(roles).toHaveLength(3);
  const rights = roles.flatMap(rightsOf).join('\n');
  expect(rights).not.toMatch(/secrets|configmaps|\*/);
});

test('the rights go to the service account of the operator, which is the only one', async () => {
  const manifests = await render({
    values: { 'serviceAccount.name': 'op', 'serviceAccount.annotations': { role: 'x' } },
  });
  const subject = [{ kind: 'ServiceAccount', name: 'op', namespace: 'ebbflow-system' }];
  expect(find(manifests, 'ClusterRoleBinding')).toMatchObject({ subjects: subject });
  expect(find(manifests, 'ServiceAccount').metadata).toMatchObject({
    name: 'op',
    annotations: { role: 'x' },
  });
  expect(at(find(manifests, 'Deployment'), 'spec.template.spec.serviceAccountName')).toBe('op');
});

test('an account that exists can be used', async () => {
  const manifests = await render({
    values: { 'serviceAccount.create': false, 'serviceAccount.name': 'mine' },
  });
  expect(manifests.map((manifest) => manifest.kind)).not.toContain('ServiceAccount');
  expect(at(find(manifests, 'Deployment'), 'spec.template.spec.serviceAccountName')).toBe('mine');
});

test('who may view or edit a namespace may do so with runs, unless that is turned off', async () => {
  const manifests = await render();
  expect(find(manifests, 'ClusterRole', 'ebbflow-view').metadata.labels).toMatchObject({
    'rbac.authorization.k8s.io/aggregate-to-view': 'true',
  });
  expect(find(manifests, 'ClusterRole', 'ebbflow-edit').metadata.labels).toMatchObject({
    'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
    'rbac.authorization.k8s.io/aggregate-to-admin': 'true',
  });
  const without = await render({ values: { 'rbac.aggregate': false } });
  expect(without.filter((manifest) => manifest.kind === 'ClusterRole')).toHaveLength(1);
});
