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
const CRD_PATH = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRD_NAME}`;
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
  #hadCrd = false;

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
    this.#hadCrd = (await this.send('GET', CRD_PATH)).status === 200;
    const query = '?fieldManager=ebbflow-tests&force=true';
    const applied = await this.send('PATCH', `${CRD_PATH}${query}`, buildCrd(), APPLY);
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
    return readAnswer(response.statusCode, await response.body.text());
  }

  /** Deletes what was made: the namespace with everything in it, and the definition unless it was there before. */
  async close(): Promise<void> {
    try {
      await this.send('DELETE', `/api/v1/namespaces/${this.namespace}`);
      if (!this.#hadCrd) await this.#removeCrd();
    } finally {
      await this.#agent.close();
    }
  }

  /** Who installs the chart next must not meet a definition that is not Helm's. */
  async #removeCrd(): Promise<void> {
    await this.send('DELETE', CRD_PATH);
    const end = performance.now() + 30_000;
    while ((await this.send('GET', CRD_PATH)).status !== 404) {
      if (performance.now() > end) throw new Error('the CRD was not removed within 30 s');
      await sleep(100);
    }
  }
}

/** A path that is not served yet is answered in plain text. */
function readAnswer(status: number, text: string): Answer {
  if (!text.startsWith('{')) return { status, message: text, body: {} };
  const body: Record<string, unknown> = JSON.parse(text);
  const message = typeof body['message'] === 'string' ? body['message'] : '';
  return { status, message, body };
}
