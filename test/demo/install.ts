import { join } from 'node:path';
import { run } from '../cluster/exec.ts';
import { projectRoot } from '../cluster/paths.ts';
import type { Cluster } from '../cluster/types.ts';

export const systemNamespace = 'ebbflow-system';
export const resultsBucket = 'ebbflow-results';
export const clusterName = 'demo';

const release = 'ebbflow';

function secret(name: string, namespace: string, cluster: Cluster): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    stringData: {
      AWS_ACCESS_KEY_ID: cluster.s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: cluster.s3.secretAccessKey,
    },
  };
}

/** Hands credentials of the store to the operator's namespace and to the user's. They go through standard input. */
export async function createSecrets(cluster: Cluster, namespace: string): Promise<void> {
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: systemNamespace } },
    secret('results-store', systemNamespace, cluster),
    secret('s3', namespace, cluster),
  ];
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  await cluster.kubectl(['apply', '-f', '-'], { input });
}

/** What the demo sets in the chart: the image that was just built, and the results store. */
export function chartValues(image: string, cluster: Cluster): Record<string, string> {
  const colon = image.lastIndexOf(':');
  return {
    'image.repository': image.slice(0, colon),
    'image.tag': image.slice(colon + 1),
    clusterName,
    'results.endpoint': cluster.s3.endpoint,
    'results.region': cluster.s3.region,
    'results.bucket': resultsBucket,
    'results.existingSecret': 'results-store',
    dnsPolicy: 'Default',
  };
}

/** `helm install` of the chart in the checkout, and waits until the operator is ready. Says the command it runs. */
export async function installChart(
  image: string,
  cluster: Cluster,
  say: (line: string) => void,
): Promise<void> {
  const values = chartValues(image, cluster);
  const settings = Object.entries(values).flatMap(([name, value]) => ['--set-string', `${name}=${value}`]);
  const args = ['install', release, 'charts/ebbflow', '--namespace', systemNamespace, ...settings];
  say(`helm ${args.join(' ')}`);
  await run(cluster.binaries.helm, [...args, '--wait', '--timeout', '120s'], {
    cwd: join(projectRoot),
    env: { ...process.env, ...cluster.environment() },
    timeoutMs: 150_000,
  });
}

/** What the operator and its pods say, for when something went wrong. */
export async function explainOperator(cluster: Cluster): Promise<string> {
  const ask = (args: readonly string[]): Promise<string> =>
    cluster.kubectl(args, { timeoutMs: 15_000 }).catch((error: unknown) => `${String(error)}\n`);
  return [
    await ask(['get', 'nodes,pods,jobs,pipelineruns.ebbflow.dev', '--all-namespaces', '-o', 'wide']),
    await ask(['get', 'events', '--all-namespaces', '--sort-by=.lastTimestamp']),
    await ask(['logs', '-n', systemNamespace, `deployment/${release}`, '--tail=40']),
  ].join('\n');
}
