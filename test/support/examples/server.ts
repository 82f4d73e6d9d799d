/** PipelineRuns on the real API server, for tests: every answer is a status and a message, none is thrown. */
import { Agent, request } from 'undici';
import { setTimeout as sleep } from 'node:timers/promises';
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

  /** Changes nothing on the server. */
  static async connect(namespace: string): Promise<PipelineRunServer> {
    return new PipelineRunServer(await loadClusterAccess({ kubeconfig: testKubeconfig() }), namespace);
  }

  /** Makes the namespace, and returns once the rules of the definition are in force there. */
  static async open(namespace: string): Promise<PipelineRunServer> {
    const server = await PipelineRunServer.connect(namespace);
    await server.send('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    await server.#untilInForce();
    return server;
  }

  /** A definition takes effect some moments after it was accepted. */
  async #untilInForce(): Promise<void> {
    const end = performance.now() + 30_000;
    for (;;) {
      const answer = await this.create({ stages: [{ name: 'probe' }] }, 'probe', { dryRun: true });
      if (answer.status === 422) return;
      if (performance.now() > end)
        throw new Error(`the definition is not in force: ${answer.status} ${answer.message}`);
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

  /** Deletes the namespace with everything in it. */
  async close(): Promise<void> {
    try {
      await this.send('DELETE', `/api/v1/namespaces/${this.namespace}`);
    } finally {
      await this.disconnect();
    }
  }

  async disconnect(): Promise<void> {
    await this.#agent.close();
  }
}

/** A path that is not served yet is answered in plain text. */
function readAnswer(status: number, text: string): Answer {
  if (!text.startsWith('{')) return { status, message: text, body: {} };
  const body: Record<string, unknown> = JSON.parse(text);
  const message = typeof body['message'] === 'string' ? body['message'] : '';
  return { status, message, body };
}
