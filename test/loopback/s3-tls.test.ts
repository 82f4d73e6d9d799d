import { createServer, type Server } from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { S3Client } from '../../workers/s3/client.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { getObject, openObject, putObject } from '../../workers/s3/objects.ts';
import { issueCertificate, makeAuthority } from '../cluster/certificates.ts';

const authority = makeAuthority();
const never = new AbortController().signal;
const object = { bucket: 'b', key: 'k' };
let server: Server;
let port: number;
/** Of every connection: whether its session was taken over from an earlier one. */
const resumed: boolean[] = [];
let stored = Buffer.alloc(0);

beforeAll(async () => {
  const { certificate, key } = issueCertificate(authority, { commonName: 'store', hosts: ['localhost'] });
  server = createServer({ cert: certificate, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'PUT') stored = Buffer.concat(chunks);
      response.end(request.method === 'PUT' ? undefined : stored);
    });
  });
  server.on('secureConnection', (socket) => resumed.push(socket.isSessionReused()));
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function connect(ca: string | undefined, host = 'localhost'): S3Client {
  return new S3Client({
    endpoint: `https://${host}:${port}`,
    ca,
    credentials: fixedCredentials({ accessKeyId: 'A', secretAccessKey: 's' }),
    retry: { attempts: 1, baseDelay: 1, maxDelay: 1 },
  });
}

test('bytes go to and fro under TLS, whole and streamed, and sessions are taken up again', async () => {
  const client = connect(authority.certificate);
  const body = Buffer.alloc(3 * 1024 ** 2, 'ebb ');
  await putObject(client, { ...object, body }, never);
  expect(stored.equals(body)).toBe(true);
  expect((await getObject(client, object, never))?.equals(body)).toBe(true);
  expect((await text((await openObject(client, object, never)).body)) === body.toString()).toBe(true);
  await Promise.all(Array.from({ length: 8 }, () => getObject(client, object, never)));
  await client.close();
  expect(resumed[0]).toBe(false);
  expect(resumed).toContain(true);
});

test.each([
  ['signed by nobody we trust', undefined, 'localhost', /CERT|SIGNATURE|ISSUER/],
  ['for another host', authority.certificate, '127.0.0.1', /ALTNAME/],
])('a store with a certificate %s is not talked to', async (_, ca, host, why) => {
  const client = connect(ca, host);
  await expect(getObject(client, object, never)).rejects.toThrow(why);
  await expect(openObject(client, object, never)).rejects.toThrow(why);
  await client.close();
});
