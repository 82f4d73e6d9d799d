/**
 * A client that copies as fast as the store lets it: `node throttledchild.ts <endpoint> <seconds>`. Says `ready` and
 * begins when its input ends, so that several begin together. Then prints how many copies succeeded after the first
 * ten seconds.
 */
import { once } from 'node:events';
import { S3Client } from '../../workers/s3/client.ts';
import { copyObject } from '../../workers/s3/copies.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';

const [, , endpoint = '', seconds = '0'] = process.argv;
const credentials = fixedCredentials({ accessKeyId: 'A', secretAccessKey: 's' });
const client = new S3Client({ endpoint, credentials });
const signal = AbortSignal.timeout(600_000);
console.log('ready');
process.stdin.resume();
await once(process.stdin, 'end');
const start = performance.now();
let done = 0;
const copy = async (): Promise<void> => {
  for (;;) {
    const elapsed = performance.now() - start;
    if (elapsed >= Number(seconds) * 1000) return;
    const source = { bucket: 'b', key: 'source', etag: '' };
    await copyObject(client, { source, bucket: 'b', key: `copy-${process.pid}` }, signal);
    if (elapsed >= 10_000) done += 1;
  }
};
await Promise.all(Array.from({ length: 16 }, copy));
console.log(JSON.stringify({ done }));
await client.close();
