import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { projectRoot } from '../cluster/paths.ts';

export const examplePath = 'examples/pipelinerun.yaml';

export interface Surroundings {
  readonly endpoint: string;
  readonly region: string;
  readonly trainImage: string;
}

/** The example with the three values that depend on where it runs put in; everything else stays as it is written. */
export function fitManifest(text: string, { endpoint, region, trainImage }: Surroundings): string {
  const document = parseDocument(text);
  const replace = (path: readonly (string | number)[], value: string): void => {
    // A path that is no longer there must not be made up.
    if (!document.hasIn(path)) throw new Error(`${examplePath} has no ${path.join('.')}`);
    document.setIn(path, value);
  };
  replace(['spec', 'stores', 0, 'endpoint'], endpoint);
  replace(['spec', 'stores', 0, 'region'], region);
  replace(['spec', 'stages', 1, 'train', 'image'], trainImage);
  return String(document);
}

export async function readExample(): Promise<string> {
  return readFile(join(projectRoot, examplePath), 'utf8');
}
