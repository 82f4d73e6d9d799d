import { readFileSync } from 'node:fs';
import { execute } from './exec.ts';

/** Unmounts everything below a folder, innermost first, also what is in use. */
export async function unmountBelow(folder: string): Promise<void> {
  const paths = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
    .toSorted((a, b) => b.length - a.length);
  for (const path of paths) await execute('umount', ['-l', path]);
}
