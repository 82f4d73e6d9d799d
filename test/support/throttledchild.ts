/**
 * A client that makes so many copies as fast as the store lets it: `node throttledchild.ts <endpoint> <copies>`. Says
 * `ready` and begins when its input ends, so that several begin together. Then prints
 * how many succeeded and what it knows of its traffic.
 */
import { once } from 'node:events';
import { S3Client } from '../../workers/s3/client.ts';
import { copyObject } from '../../workers/s3/copies.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';

const [, , endpoint = '', copies = '0'] = process.argv;
const credentials = fixedCredentials({ accessKeyId: 'A', secretAccessKey: 's' });
const client = new S3Client({ endpoint, credentials });
const signal = AbortSignal.timeout(600_000);
console.log('ready');
process.stdin.resume();
await once(process.stdin, 'end');
let left = Number(copies);
let done = 0;
const copy = async (): Promise<void> => {
  for (; left > 0; done += 1) {
    left -= 1;
    const source = { bucket: 'b', key: 'source', etag: '' };
    await copyObject(client, { source, bucket: 'b', key: `copy-${process.pid}` }, signal);
  }
};
await Promise.all(Array.from({ length: 16 }, copy));
console.log(JSON.stringify({ done, traffic: client.traffic }));
await client.close();
