import { type BuiltImage, buildImage } from './buildah.ts';
import { nodePackages, provideBaseImage } from './baseimage.ts';
import { modulesRoot } from './paths.ts';

/** A small image with a shell, for tests of the cluster itself. Runs as nobody in particular. */
export async function provideStubImage(progress: (line: string) => void): Promise<BuiltImage> {
  const base = await provideBaseImage({ packages: [...nodePackages], node: false }, progress);
  return buildImage(
    {
      name: 'ebbflow-test-stub',
      dockerfile: 'ARG BASE\nFROM ${BASE}\nUSER 65532:65532\nCMD ["/bin/sh"]\n',
      context: modulesRoot,
      cacheKeyFiles: [],
      buildArgs: { BASE: base },
      usualSeconds: 5,
    },
    progress,
  );
}
