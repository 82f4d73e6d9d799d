/** Where the API server is and who we are there, from a kubeconfig or from the pod we run in. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Clock, systemClock } from './clock.ts';
import { ConfigError } from './config-error.ts';
import { type ExecConfig, runExecPlugin } from './exec-plugin.ts';
import { isRecord, readBoolean, readRecord, readString } from './records.ts';
import { loadServiceAccount, type Environment } from './service-account.ts';

/** How to reach an API server. */
export interface ClusterAccess {
  /** Base URL, such as `https://127.0.0.1:6443`. */
  server: string;
  /** PEM of the authorities to trust; absent: those of Node. */
  ca?: string;
  /** PEM of the client certificate and its key. */
  cert?: string;
  key?: string;
  serverName?: string;
  insecureSkipTlsVerify?: boolean;
  /** The namespace of the context, or of the pod we run in. */
  namespace: string;
  /** The Authorization header of the next request, if there is one; reads a rotated token again. */
  authorization(): Promise<string | undefined>;
}

/** Where to look for the configuration. */
export interface AccessOptions {
  /** Path of a kubeconfig file; wins over the pod's service account. */
  kubeconfig?: string;
  /** Name of a context in it; its current-context unless given. */
  context?: string;
  /** The process environment: KUBECONFIG, KUBERNETES_SERVICE_HOST, HOME are read, and exec plugins inherit it. */
  env?: Environment;
  clock?: Clock;
}

/**
 * Reads how to reach the API server. In this order: the given kubeconfig, $KUBECONFIG (one file), the service account
 * of the pod we run in, ~/.kube/config. Throws ConfigError, which never quotes the file.
 */
export async function loadClusterAccess(options: AccessOptions = {}): Promise<ClusterAccess> {
  const env = options.env ?? {};
  const clock = options.clock ?? systemClock;
  const file = options.kubeconfig ?? env['KUBECONFIG'];
  if (file !== undefined && file !== '') return loadKubeconfig(file, options.context, env, clock);
  if (env['KUBERNETES_SERVICE_HOST'] !== undefined) return loadServiceAccount(env, clock);
  if (env['HOME'] === undefined) throw new ConfigError('no kubeconfig, and not in a pod');
  return loadKubeconfig(path.join(env['HOME'], '.kube/config'), options.context, env, clock);
}

async function loadKubeconfig(
  file: string,
  contextName: string | undefined,
  env: Environment,
  clock: Clock,
): Promise<ClusterAccess> {
  const config = await readConfig(file);
  const name = contextName ?? readString(config, 'current-context');
  if (name === undefined) throw new ConfigError('the kubeconfig has no current-context');
  const context = findNamed(config, 'contexts', name, 'context');
  const cluster = findNamed(config, 'clusters', readString(context, 'cluster'), 'cluster');
  const userName = readString(context, 'user');
  const user = userName === undefined || userName === '' ? {} : findNamed(config, 'users', userName, 'user');
  const server = readString(cluster, 'server');
  if (server === undefined) throw new ConfigError('the cluster of the kubeconfig has no server');

  const directory = path.dirname(file);
  const exec = readExec(user);
  const plugin = exec === undefined ? undefined : await runExecPlugin(exec, env, clock);
  return {
    server,
    ca: await readPem(cluster, 'certificate-authority', directory),
    cert: plugin?.cert ?? (await readPem(user, 'client-certificate', directory)),
    key: plugin?.key ?? (await readPem(user, 'client-key', directory)),
    serverName: readString(cluster, 'tls-server-name'),
    insecureSkipTlsVerify: readBoolean(cluster, 'insecure-skip-tls-verify'),
    namespace: readString(context, 'namespace') ?? 'default',
    authorization: plugin?.authorization ?? userAuthorization(user, directory),
  };
}

async function readConfig(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ConfigError('cannot read the kubeconfig', { cause: error });
  }
  // In a pod there is no kubeconfig, so the parser and its memory are only paid for outside.
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    // The parser's message quotes lines of the file, and there are credentials in it.
    throw new ConfigError('the kubeconfig is not valid YAML');
  }
  if (!isRecord(value)) throw new ConfigError('the kubeconfig is no mapping');
  return value;
}

function findNamed(
  config: Record<string, unknown>,
  list: string,
  name: string | undefined,
  field: string,
): Record<string, unknown> {
  const entries: unknown = config[list];
  const entry = Array.isArray(entries)
    ? entries.filter((each) => isRecord(each)).find((each) => each['name'] === name)
    : undefined;
  if (entry === undefined) throw new ConfigError(`the kubeconfig has no entry ${name ?? '""'} in ${list}`);
  return readRecord(entry, field) ?? {};
}

/** `<field>-data` is base64 in place; `<field>` names a file, relative to the kubeconfig. */
async function readPem(
  entry: Record<string, unknown>,
  field: string,
  directory: string,
): Promise<string | undefined> {
  const data = readString(entry, `${field}-data`);
  if (data !== undefined && data !== '') return Buffer.from(data, 'base64').toString('utf8');
  const file = readString(entry, field);
  if (file === undefined || file === '') return undefined;
  try {
    return await readFile(path.resolve(directory, file), 'utf8');
  } catch (error) {
    throw new ConfigError(`cannot read the file of ${field}`, { cause: error });
  }
}

function userAuthorization(
  user: Record<string, unknown>,
  directory: string,
): () => Promise<string | undefined> {
  const tokenFile = readString(user, 'tokenFile');
  const token = readString(user, 'token');
  const username = readString(user, 'username');
  const password = readString(user, 'password');
  if (token !== undefined) return () => Promise.resolve(`Bearer ${token}`);
  if (tokenFile !== undefined) {
    return async () => `Bearer ${(await readFile(path.resolve(directory, tokenFile), 'utf8')).trim()}`;
  }
  if (username !== undefined && password !== undefined) {
    const basic = Buffer.from(`${username}:${password}`).toString('base64');
    return () => Promise.resolve(`Basic ${basic}`);
  }
  if (user['auth-provider'] !== undefined) {
    throw new ConfigError('auth-provider was removed from Kubernetes; use an exec plugin');
  }
  return () => Promise.resolve(undefined);
}

function readExec(user: Record<string, unknown>): ExecConfig | undefined {
  const exec = readRecord(user, 'exec');
  if (exec === undefined) return undefined;
  const command = readString(exec, 'command');
  const apiVersion = readString(exec, 'apiVersion');
  if (command === undefined || apiVersion === undefined) {
    throw new ConfigError('the exec entry of the kubeconfig needs command and apiVersion');
  }
  const args: unknown = exec['args'];
  const env: unknown = exec['env'];
  return {
    command,
    apiVersion,
    args: Array.isArray(args) ? args.map(String) : [],
    env: Object.fromEntries(
      (Array.isArray(env) ? env : [])
        .filter((each) => isRecord(each))
        .map((each) => [readString(each, 'name') ?? '', readString(each, 'value') ?? '']),
    ),
  };
}
