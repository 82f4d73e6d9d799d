// A copy worker as a process of its own, as the image starts it, with short times.
import { tmpdir } from 'node:os';
import { runCopyWorker } from '../../workers/copy/main.ts';

const terminate = new AbortController();
process.on('SIGTERM', () => terminate.abort(new Error('SIGTERM')));
process.exitCode = await runCopyWorker({
  env: process.env,
  terminate: terminate.signal,
  output: process.stdout,
  terminationLog: '/dev/null',
  patience: 5_000,
  segmentInterval: 100,
  scratch: { directory: tmpdir(), limit: 1024 ** 3 },
});
