#!/usr/bin/env -S node --enable-experimental-regexp-engine-on-excessive-backtracks
/**
 * The one entry of the image. Each role is loaded only when it is asked for, because what is never imported costs
 * no memory.
 */
const role = process.argv[2];
switch (role) {
  case 'operator': {
    const { main } = await import('../operator/main.ts');
    await main();
    break;
  }
  case 'copy':
  case 'fetch':
  case 'agent': {
    const { runWorker } = await import('../workers/main.ts');
    await runWorker(role);
    break;
  }
  default:
    // Everything else is the command line.
    await import('./main.ts');
}
