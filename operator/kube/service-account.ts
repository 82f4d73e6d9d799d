/** Access from inside a pod: the mounted service account, whose token is rotated. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from './clock.ts';
import { ConfigError } from './config-error.ts';
import type { ClusterAccess } from './kubeconfig.ts';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the kubelet puts the service account's token, namespace and the cluster's CA. */
const mountedAt = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The kubelet replaces the token long before it expires; once a minute is how often clients are to look. */
const tokenAgeMs = 60_000;

/** The access of the pod we run in. Throws ConfigError when no service account is mounted. */
export async function loadServiceAccount(
  env: Environment,
  clock: Clock,
  directory: string = mountedAt,
): Promise<ClusterAccess> {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  const read = async (name: string): Promise<string> => {
    try {
      return (await readFile(path.join(directory, name), 'utf8')).trim();
    } catch (error) {
      throw new ConfigError(`cannot read ${name} of the service account`, { cause: error });
    }
  };

  let token = await read('token');
  let readAtMs = clock.monotonicMs();
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: await read('ca.crt'),
    namespace: await read('namespace'),
    authorization: async () => {
      if (clock.monotonicMs() - readAtMs >= tokenAgeMs) {
        token = await read('token');
        readAtMs = clock.monotonicMs();
      }
      return `Bearer ${token}`;
    },
  };
}
