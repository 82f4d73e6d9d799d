#!/usr/bin/env node
/** The command line `ebbflow`. What a command does not need is not loaded: starting takes time. */
import { enableCompileCache } from 'node:module';

// The second start of a machine need not compile what the first one did. Where nothing can be kept, nothing is.
enableCompileCache();
const [command, ...rest] = process.argv.slice(2);
if (command === 'copy') {
  const { main } = await import('./copy/main.ts');
  process.exitCode = await main(rest);
} else {
  const { main } = await import('./runs.ts');
  await main();
}
