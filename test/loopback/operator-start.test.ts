/** A start that fails half-way ends the process: one that lives on, with nothing but its health port, is never restarted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, test } from 'vitest';
import { issueCertificate, makeAuthority } from '../cluster/certificates.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'ebbflow-start-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const authority = makeAuthority();
const { certificate, key } = issueCertificate(authority, { commonName: 'ebbflow', hosts: ['127.0.0.1'] });
writeFileSync(join(folder, 'tls.crt'), certificate);
writeFileSync(join(folder, 'tls.key'), key);
writeFileSync(join(folder, 'ca.crt'), authority.certificate);
writeFileSync(
  join(folder, 'kubeconfig'),
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'none', cluster: { server: 'http://127.0.0.1:1' } }],
    users: [{ name: 'none', user: { token: 'none' } }],
    contexts: [{ name: 'none', context: { cluster: 'none', user: 'none' } }],
    'current-context': 'none',
  }),
);

async function listen(): Promise<{ server: Server; port: string }> {
  const server = createServer();
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  return { server, port: typeof address === 'object' && address !== null ? String(address.port) : '' };
}

async function freePort(): Promise<string> {
  const { server, port } = await listen();
  server.close();
  await once(server, 'close');
  return port;
}

async function startOperator(given: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, ['cli/entry.ts', 'operator'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
    // Only against a hang: the failure of a start is a matter of a second.
    timeout: 30_000,
    killSignal: 'SIGKILL',
    env: {
      PATH: process.env['PATH'],
      KUBECONFIG: join(folder, 'kubeconfig'),
      EBBFLOW_IMAGE: 'ebbflow:test',
      EBBFLOW_RESULTS_ENDPOINT: 'http://127.0.0.1:1',
      EBBFLOW_RESULTS_BUCKET: 'results',
      EBBFLOW_TLS_DIRECTORY: folder,
      EBBFLOW_WORKER_API_HOST: '127.0.0.1',
      EBBFLOW_WORKER_API_PORT: await freePort(),
      EBBFLOW_WORKER_API_SERVER_NAME: 'ebbflow',
      EBBFLOW_METRICS_PORT: await freePort(),
      EBBFLOW_RESULTS_API_PORT: await freePort(),
      EBBFLOW_INDEX_FILE: join(folder, 'index.sqlite'),
      EBBFLOW_NAMESPACE: 'ebbflow',
      EBBFLOW_POD_NAME: 'ebbflow-0',
      ...given,
    },
  });
  const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code: child.exitCode, said };
}

test('an index that cannot be opened', async () => {
  const { code, said } = await startOperator({ EBBFLOW_INDEX_FILE: join(folder, 'no', 'such', 'index') });
  expect({ code, said }).toEqual({ code: 1, said: expect.stringContaining('unable to open database file') });
});

test('a port that somebody has', async () => {
  const { server, port } = await listen();
  const { code, said } = await startOperator({ EBBFLOW_WORKER_API_PORT: port });
  server.close();
  expect({ code, said }).toEqual({ code: 1, said: expect.stringContaining('EADDRINUSE') });
});
