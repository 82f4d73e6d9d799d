import { rename, writeFile } from 'node:fs/promises';

/** Writes JSON, under another name first, so that a crash leaves no half of it. */
export async function writeWhole(path: string, content: object): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}
