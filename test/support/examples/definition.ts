/** Runs once around all integration tests: the definition of PipelineRuns, as it is in the sources. */
import { setTimeout as sleep } from 'node:timers/promises';
import { buildCrd, CRD_NAME } from '../../../crds/crd.ts';
import { PipelineRunServer } from './server.ts';

const PATH = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRD_NAME}`;
const APPLY = 'application/apply-patch+yaml';

let isOurs = false;

/** Tests that need no cluster can be run without one; the others say themselves what they miss. */
export async function setup(): Promise<void> {
  if (!process.env['EBBFLOW_TEST_KUBECONFIG']) return;
  const server = await PipelineRunServer.connect('default');
  try {
    isOurs = (await server.send('GET', PATH)).status !== 200;
    const query = '?fieldManager=ebbflow-tests&force=true';
    const applied = await server.send('PATCH', `${PATH}${query}`, buildCrd(), APPLY);
    if (applied.status >= 300) throw new Error(`the API server refused the definition: ${applied.message}`);
  } finally {
    await server.disconnect();
  }
}

/** Who installs the chart next must not meet a definition that is not Helm's. */
export async function teardown(): Promise<void> {
  if (!isOurs) return;
  const server = await PipelineRunServer.connect('default');
  try {
    await server.send('DELETE', PATH);
    const end = performance.now() + 30_000;
    while ((await server.send('GET', PATH)).status !== 404) {
      if (performance.now() > end) throw new Error('the definition was not removed within 30 s');
      await sleep(100);
    }
  } finally {
    await server.disconnect();
  }
}
