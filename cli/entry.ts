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
    // `ebbflow copy s3://…` is the command line's; a stage's worker is told everything by its environment.
    if (process.argv.length > 3) {
      await import('./main.ts');
      break;
    }
    const { runWorker } = await import('../workers/main.ts');
    await runWorker(role);
    break;
  }
  default:
    // Everything else is the command line.
    await import('./main.ts');
}
