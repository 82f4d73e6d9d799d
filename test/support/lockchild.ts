/**
 * Takes the lock of a directory again and again, each time for a moment, until it was inside so many times. A file that
 * only one process can create says whether somebody else was inside as well; the word for that is `together`. With
 * `die`, it is killed inside, the last time.
 */
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLock } from '../../cli/copy/lock.ts';
import { CliError } from '../../cli/errors.ts';

const [directory = '', times = '1', last] = process.argv.slice(2);
const inside = join(directory, 'inside');

for (let left = Number(times); left > 0; ) {
  try {
    const unlock = await takeLock(directory);
    if (last === 'die' && left === 1) process.kill(process.pid, 'SIGKILL');
    const mark = await open(inside, 'wx');
    await mark.close();
    await rm(inside);
    await unlock();
    left -= 1;
  } catch (error) {
    if (error instanceof CliError && error.code === 'Busy') continue;
    process.stdout.write(
      error instanceof Error && error.message.includes('EEXIST') ? 'together' : String(error),
    );
    process.exit(1);
  }
}
process.stdout.write('alone');
