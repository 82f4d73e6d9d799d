#!/usr/bin/env node
/** The command line `ebbflow`. What a command does not need is not loaded: starting takes time. */
const [command, ...rest] = process.argv.slice(2);
if (command === 'copy') {
  const { main } = await import('./copy/main.ts');
  process.exitCode = await main(rest);
} else {
  const { main } = await import('./runs.ts');
  await main();
}
