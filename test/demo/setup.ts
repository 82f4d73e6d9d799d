import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provideBinaries } from '../cluster/binaries.ts';
import type { BuiltImage } from '../cluster/buildah.ts';
import { startCluster } from '../cluster/cluster.ts';
import { installPackages } from '../cluster/debian.ts';
import { destroyCluster } from '../cluster/destroy.ts';
import { listStates } from '../cluster/state.ts';
import type { Cluster } from '../cluster/types.ts';
import { provideProjectImage } from '../support/projectimage.ts';
import { provideTrainImage } from './trainimage.ts';

type Say = (line: string) => void;

export interface DemoImages {
  readonly project: BuiltImage;
  readonly train: BuiltImage;
}

/** What is compiled from Go modules. */
export const programs = ['etcd', 'kubernetes', 'versitygw', 'helm', 'karpenter'] as const;

/** Everything that is made once and kept: packages, programs, images. */
export async function prepare(say: Say): Promise<DemoImages> {
  await providePrograms(say);
  return await buildImages(say);
}

/** What a cluster runs on: Debian packages, and programs compiled from their modules. */
export async function providePrograms(say: Say): Promise<void> {
  await installPackages(say);
  await provideBinaries(programs, say);
}

/** What the pods of a run are made from. */
export async function buildImages(say: Say): Promise<DemoImages> {
  return { project: await provideProjectImage(say), train: await provideTrainImage(say) };
}

/** A cluster that an earlier `--keep` left has done its service; one whose owner lives is somebody's. */
export async function forgetKept(name: string, say: Say): Promise<void> {
  for (const state of listStates()) {
    if (state.name !== name || state.owner !== null) continue;
    say(`Taking down the cluster "${name}" that was kept`);
    await destroyCluster(state);
  }
}

/** Starts the demo's cluster. With `keep` it outlives this process, but not four hours. */
export function startDemoCluster(
  options: { readonly name: string; readonly keep: boolean },
  images: DemoImages,
  say: Say,
): Promise<Cluster> {
  return startCluster({
    name: options.name,
    owner: options.keep ? 'command' : 'process',
    images: [images.project.archive, images.train.archive],
    progress: say,
  });
}

/** `kubectl apply -f` of the manifest, as a user would. */
export async function applyManifest(cluster: Cluster, manifest: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ebbflow-demo-'));
  try {
    await writeFile(join(folder, 'pipelinerun.yaml'), manifest);
    await cluster.kubectl(['apply', '-f', join(folder, 'pipelinerun.yaml')]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
