/** PipelineRuns on the real API server, for tests: every answer is a status and a message, none is thrown. */
import { Agent, request } from 'undici';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildCrd, CRD_NAME } from '../../../crds/crd.ts';
import { API_VERSION, GROUP, KIND, PLURAL, VERSION } from '../../../operator/api/names.ts';
import { loadClusterAccess, type ClusterAccess } from '../../../operator/kube/kubeconfig.ts';

export interface Answer {
  status: number;
  /** Message of the Status, or empty. */
  message: string;
  body: Record<string, unknown>;
}

const JSON_TYPE = 'application/json';
export const MERGE_PATCH = 'application/merge-patch+json';
const APPLY = 'application/apply-patch+yaml';

/** Where `npm test` says that the cluster is. */
export function testKubeconfig(): string {
  const file = process.env['EBBFLOW_TEST_KUBECONFIG'];
  if (!file)
    throw new Error(
      'EBBFLOW_TEST_KUBECONFIG is not set: run npm test, or name the kubeconfig of a test cluster',
    );
  return file;
}

export class PipelineRunServer {
  readonly #access: ClusterAccess;
  readonly #agent: Agent;
  readonly namespace: string;

  private constructor(access: ClusterAccess, namespace: string) {
    this.#access = access;
    this.namespace = namespace;
    const { ca, cert, key, insecureSkipTlsVerify } = access;
    this.#agent = new Agent({
      connect: { ca, cert, key, rejectUnauthorized: insecureSkipTlsVerify !== true },
    });
  }

  /** Installs the CRD as it is in the sources, makes the namespace, and returns once the rules are in force. */
  static async open(namespace: string): Promise<PipelineRunServer> {
    const server = new PipelineRunServer(
      await loadClusterAccess({ kubeconfig: testKubeconfig() }),
      namespace,
    );
    await server.#install();
    return server;
  }

  async #install(): Promise<void> {
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRD_NAME}`;
    const applied = await this.send(
      'PATCH',
      `${path}?fieldManager=ebbflow-tests&force=true`,
      buildCrd(),
      APPLY,
    );
    if (applied.status >= 300) throw new Error(`the API server refused the CRD: ${applied.message}`);
    await this.send('POST', '/api/v1/namespaces', { metadata: { name: this.namespace } });
    // A definition takes effect some moments after it was accepted.
    const end = performance.now() + 30_000;
    for (;;) {
      const answer = await this.create({ stages: [{ name: 'probe' }] }, 'probe', { dryRun: true });
      if (answer.status === 422) return;
      if (performance.now() > end)
        throw new Error(`the CRD is not in force: ${answer.status} ${answer.message}`);
      await sleep(100);
    }
  }

  path(name = '', query = ''): string {
    const suffix = name === '' ? '' : `/${name}`;
    return `/apis/${GROUP}/${VERSION}/namespaces/${this.namespace}/${PLURAL}${suffix}${query}`;
  }

  /** Creates as kubectl does: unknown fields are an error. */
  create(spec: unknown, name: string, { dryRun = false } = {}): Promise<Answer> {
    const query = `?fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`;
    return this.send('POST', this.path('', query), {
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: { name },
      spec,
    });
  }

  /** Replaces spec and sees what the API server says; nothing is stored. */
  async tryReplace(name: string, spec: unknown): Promise<Answer> {
    const { body } = await this.send('GET', this.path(name));
    return this.send('PUT', this.path(name, '?fieldValidation=Strict&dryRun=All'), { ...body, spec });
  }

  async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    type = JSON_TYPE,
    accept = JSON_TYPE,
  ): Promise<Answer> {
    const authorization = await this.#access.authorization();
    const response = await request(new URL(path, this.#access.server), {
      method,
      dispatcher: this.#agent,
      headers: { accept, 'content-type': type, ...(authorization === undefined ? {} : { authorization }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const answer: Record<string, unknown> = Object.fromEntries(
      Object.entries(Object(await response.body.json())),
    );
    const message = typeof answer['message'] === 'string' ? answer['message'] : '';
    return { status: response.statusCode, message, body: answer };
  }

  /** Deletes the namespace with everything in it, without waiting. */
  async close(): Promise<void> {
    await this.send('DELETE', `/api/v1/namespaces/${this.namespace}`);
    await this.#agent.close();
  }
}
