import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../cluster/cluster.ts';
import { provideStubImage } from '../cluster/stubimage.ts';
import type { Cluster } from '../cluster/types.ts';

let cluster: Cluster;
let image: string;

beforeAll(async () => {
  const stub = await provideStubImage((line) => console.error(line));
  image = stub.reference;
  cluster = await startCluster({
    name: `nodes-${process.pid}`,
    images: [stub.archive],
    nodeMonitorGraceSeconds: 8,
    deadNodeSeconds: 15,
    poolCpuLimit: 16,
    progress: (line) => console.error(line),
  });
}, 1_800_000);

afterAll(() => cluster?.stop());

/** Nothing here promises a time; beside whole runs the processor may be away for a while. */
const PATIENCE_SECONDS = 240;
const LIMIT = { timeout: 4 * PATIENCE_SECONDS * 1000 };

/** A command of kubectl that waits for something. */
const patiently = (args: string[]): Promise<string> =>
  cluster.kubectl([...args, `--timeout=${PATIENCE_SECONDS}s`], { timeoutMs: (PATIENCE_SECONDS + 30) * 1000 });

/** A Job whose pod goes to the scaling pool. */
async function submitJob(name: string, script: string, cpu = '1'): Promise<void> {
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: 'Never',
          nodeSelector: { 'ebbflow.dev/pool': 'burst' },
          tolerations: [{ key: 'ebbflow.dev/pool', operator: 'Exists', effect: 'NoSchedule' }],
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: 'main',
              image,
              command: ['sh', '-c', script],
              // Two of them do not fit on any node, so every Job here has a node of its own.
              resources: { requests: { cpu, memory: '64Mi' } },
            },
          ],
        },
      },
    },
  };
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(job) });
}

const read = async (args: string[]): Promise<string> => (await cluster.kubectl(args)).trim();

/** Name of the node that a Job's pod has been put on. */
async function nodeOf(job: string): Promise<string> {
  await patiently(['wait', 'pod', '-l', `job-name=${job}`, '--for=condition=Ready']);
  return read(['get', 'pod', '-l', `job-name=${job}`, '-o', 'jsonpath={.items[0].spec.nodeName}']);
}

async function until(question: string, ask: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + PATIENCE_SECONDS * 1000; !(await ask()); ) {
    if (performance.now() > end) throw new Error(`not within ${PATIENCE_SECONDS} s: ${question}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const workerObjects = (): Promise<string> =>
  read(['get', 'nodes,nodeclaims', '-l', 'karpenter.sh/nodepool', '-o', 'name']);

async function isMachineGone(node: string): Promise<boolean> {
  return (await cluster.nodes()).every(({ name }) => name !== node);
}

// First, while the pool is empty: the pod would go to any node that has room.
describe('a cloud', LIMIT, () => {
  it('can be told never to deliver', async () => {
    await cluster.faults.setCloud({ neverRegister: true });
    await submitJob('waiting', 'true');
    await until('a Node is asked for', async () => (await workerObjects()).includes('node/'));
    await patiently(['wait', 'nodeclaim', '--all', '--for=condition=Launched']);
    await new Promise((resolve) => setTimeout(resolve, 2000)); // an ordinary one takes a fifth of this
    expect((await cluster.nodes()).map(({ role }) => role)).toEqual(['system']);
    expect(await read(['get', 'job', 'waiting', '-o', 'jsonpath={.status.ready}'])).toBe('0');
    await cluster.faults.setCloud({});
    await patiently(['delete', 'job/waiting']);
    await patiently(['delete', 'nodeclaims', '--all']);
    await until('the pool is empty', async () => (await workerObjects()) === '');
  });
});

describe.concurrent('a pool that is empty', LIMIT, () => {
  it('grows for a pending Job, runs it on a real kubelet, and gives the node back', async () => {
    await submitJob('hello', 'echo "hello from a real container, user $(id -u)"');
    await patiently(['wait', 'job/hello', '--for=condition=Complete']);
    expect(await read(['logs', 'job/hello'])).toBe('hello from a real container, user 65532');
    const node = await read([
      'get',
      'pod',
      '-l',
      'job-name=hello',
      '-o',
      'jsonpath={.items[0].spec.nodeName}',
    ]);
    const machine = (await cluster.nodes()).find(({ name }) => name === node);
    expect(machine).toMatchObject({ role: 'worker', state: 'running' });
    await until('the node is gone', async () => !(await workerObjects()).includes(node));
    await until('its machine is gone', () => isMachineGone(node));
  });

  it('resolves Services in pods, and reaches the store and the API server from them', async () => {
    const script = [
      'set -e',
      // A node takes pods a moment before its kube-proxy has written the first rules, here as everywhere.
      'until getent hosts kubernetes.default.svc.cluster.local; do sleep 0.2; done',
      'exec 3<>/dev/tcp/kubernetes.default/443 && echo api',
      `exec 4<>/dev/tcp/${new URL(cluster.s3.endpoint).host.replace(':', '/')} && echo store`,
    ].join('; ');
    await submitJob('reach', `bash -c '${script}'`);
    await patiently(['wait', 'job/reach', '--for=condition=Complete']);
    expect((await read(['logs', 'job/reach'])).split('\n').slice(1)).toEqual(['api', 'store']);
  });
});

describe.concurrent('nodes that break', LIMIT, () => {
  it('takes a Node away when everything on it died without a word', async () => {
    await submitJob('doomed', 'sleep 600');
    const node = await nodeOf('doomed');
    await cluster.faults.killNode(node);
    await patiently(['wait', 'node', node, '--for=condition=Ready=Unknown']);
    await until('its Node is gone', async () => !(await workerObjects()).includes(node));
    await until('its machine is gone', () => isMachineGone(node));
    expect(await workerObjects()).not.toContain(node);
    await cluster.kubectl(['delete', 'job', 'doomed', '--wait=false']);
  });

  it('keeps containers running through the death of kubelet and containerd', async () => {
    await submitJob('tough', 'echo one; sleep 6; echo two');
    const node = await nodeOf('tough');
    await cluster.faults.killKubelet(node);
    await cluster.faults.killContainerd(node, { withShims: false });
    await until('the machine counts as dead', async () =>
      (await cluster.nodes()).some(({ name, state }) => name === node && state === 'dead'),
    );
    await cluster.faults.startContainerd(node);
    await cluster.faults.startKubelet(node);
    await patiently(['wait', 'job/tough', '--for=condition=Complete']);
    expect(await read(['logs', 'job/tough'])).toBe('one\ntwo');
  });

  it('kills the containers too when containerd dies with its shims', async () => {
    await submitJob('frail', 'sleep 600');
    const node = await nodeOf('frail');
    await cluster.faults.killContainerd(node, { withShims: true });
    await cluster.faults.startContainerd(node);
    await patiently(['wait', 'job/frail', '--for=condition=Failed']);
    expect(await read(['get', 'job', 'frail', '-o', 'jsonpath={.status.failed}'])).toBe('1');
  });
});
