import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadClusterAccess } from '../../operator/kube/kubeconfig.ts';
import { loadServiceAccount } from '../../operator/kube/service-account.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('the way to the API server', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'kube-config-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const write = async (user: object, cluster: object = {}): Promise<string> => {
    const file = path.join(directory, 'config');
    const config = {
      'current-context': 'one',
      contexts: [
        { name: 'zero', context: { cluster: 'c', user: 'nobody' } },
        { name: 'one', context: { cluster: 'c', user: 'u', namespace: 'n' } },
        { name: 'anonymous', context: { cluster: 'c' } },
      ],
      clusters: [{ name: 'c', cluster: { server: 'https://h:6443', ...cluster } }],
      users: [{ name: 'u', user }],
    };
    await writeFile(file, stringify(config));
    return file;
  };

  it('is a client certificate, in place or in files beside the kubeconfig', async () => {
    await writeFile(path.join(directory, 'ca.pem'), 'CA');
    const kubeconfig = await write(
      { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') },
      { 'certificate-authority': 'ca.pem', 'tls-server-name': 'kubernetes' },
    );
    const access = await loadClusterAccess({ kubeconfig });
    expect(access).toMatchObject({
      server: 'https://h:6443',
      ca: 'CA',
      cert: 'CERT',
      key: 'KEY',
      serverName: 'kubernetes',
      namespace: 'n',
    });
    expect(await access.authorization()).toBeUndefined();
  });

  it('is a token, a file of one, or a password', async () => {
    let access = await loadClusterAccess({ kubeconfig: await write({ token: 't' }) });
    expect(await access.authorization()).toBe('Bearer t');

    await writeFile(path.join(directory, 'token'), 'first\n');
    access = await loadClusterAccess({ env: { KUBECONFIG: await write({ tokenFile: 'token' }) } });
    expect(await access.authorization()).toBe('Bearer first');
    await writeFile(path.join(directory, 'token'), 'second\n');
    expect(await access.authorization()).toBe('Bearer second');

    access = await loadClusterAccess({ kubeconfig: await write({ username: 'a', password: 'b' }) });
    expect(await access.authorization()).toBe(`Basic ${base64('a:b')}`);
  });

  it('is another context, or no user at all', async () => {
    const access = await loadClusterAccess({ kubeconfig: await write({ token: 't' }), context: 'anonymous' });
    expect(access.namespace).toBe('default');
    expect(await access.authorization()).toBeUndefined();
  });

  it('is an exec plugin, asked again before its token expires', async () => {
    const plugin = path.join(directory, 'plugin.sh');
    const counter = path.join(directory, 'count');
    await writeFile(
      plugin,
      `#!/bin/sh
echo x >> "$COUNTER"
printf '{"kind":"ExecCredential","status":{"token":"%s%s","expirationTimestamp":"2026-01-01T01:00:00Z"}}' "$1" "$(wc -l < "$COUNTER" | tr -d ' ')"
`,
    );
    await chmod(plugin, 0o755);
    const clock = new ManualClock();
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: plugin,
      args: ['token-'],
      env: [{ name: 'COUNTER', value: counter }],
    };
    const access = await loadClusterAccess({
      kubeconfig: await write({ exec }),
      env: { PATH: process.env['PATH'] },
      clock,
    });
    expect(await access.authorization()).toBe('Bearer token-1');
    await clock.advance(58 * 60_000);
    expect(await access.authorization()).toBe('Bearer token-1');
    await clock.advance(60_000);
    const both = await Promise.all([access.authorization(), access.authorization()]);
    expect(both).toEqual(['Bearer token-2', 'Bearer token-2']);
  });

  it('is the service account of the pod, whose token is read again every minute', async () => {
    for (const [name, text] of [
      ['token', 'first\n'],
      ['ca.crt', 'CA'],
      ['namespace', 'n'],
    ] as const) {
      await writeFile(path.join(directory, name), text);
    }
    const clock = new ManualClock();
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    const access = await loadServiceAccount(env, clock, directory);
    expect(access).toMatchObject({ server: 'https://[fd00::1]:443', ca: 'CA', namespace: 'n' });
    expect(await access.authorization()).toBe('Bearer first');
    await writeFile(path.join(directory, 'token'), 'second');
    await clock.advance(59_000);
    expect(await access.authorization()).toBe('Bearer first');
    await clock.advance(1_000);
    expect(await access.authorization()).toBe('Bearer second');
  });

  it('is refused in words that name the fault and quote no value', async () => {
    const file = path.join(directory, 'config');
    const refusal = async (): Promise<string> => {
      const error: unknown = await loadClusterAccess({ kubeconfig: file }).catch((each: unknown) => each);
      return error instanceof Error ? error.message : '';
    };
    expect(await refusal()).toMatch(/cannot read the kubeconfig/);
    await writeFile(file, 'users: [{user: {token: planted-secret}');
    expect(await refusal()).toMatch(/not valid YAML/);
    expect(await refusal()).not.toContain('planted');
    await writeFile(file, '[]');
    expect(await refusal()).toMatch(/no mapping/);
    await writeFile(file, '{}');
    expect(await refusal()).toMatch(/no current-context/);
    await writeFile(file, 'current-context: x');
    expect(await refusal()).toMatch(/no entry x in contexts/);
    await write({ 'client-key': 'missing.pem' });
    expect(await refusal()).toMatch(/file of client-key/);
    await write({ exec: { apiVersion: 'v1', command: '/does/not/exist' } });
    expect(await refusal()).toMatch(/credential plugin/);
    await write({ 'auth-provider': { name: 'gcp' } });
    expect(await refusal()).toMatch(/exec plugin/);
    await expect(loadClusterAccess({ env: {} })).rejects.toMatchObject({ code: 'KUBE_CONFIG' });
  });

  it('is looked for in the home directory last', async () => {
    await mkdir(path.join(directory, '.kube'));
    const kubeconfig = await write({ token: 't' });
    await copyFile(kubeconfig, path.join(directory, '.kube/config'));
    const access = await loadClusterAccess({ env: { HOME: directory } });
    expect(await access.authorization()).toBe('Bearer t');
  });
});
