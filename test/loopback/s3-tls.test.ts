import { createServer, type Server } from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiTransport } from '../../workers/api/transport.ts';
import { S3Client } from '../../workers/s3/client.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { getObject, openObject, putObject } from '../../workers/s3/objects.ts';
import { issueCertificate, makeAuthority } from '../cluster/certificates.ts';

const authority = makeAuthority();
const never = new AbortController().signal;
const object = { bucket: 'b', key: 'k' };
/** One whose certificate is for the hosts that it is asked by, and one whose is not. */
const servers: Server[] = [];
let port: number;
let strangersPort: number;
/** Of every connection: whether its session was taken over from an earlier one. */
const resumed: boolean[] = [];
/** Of every connection: the host that the client said it wants. */
const named: (string | false | null | undefined)[] = [];
let stored = Buffer.alloc(0);

async function serve(hosts: readonly string[]): Promise<number> {
  const { certificate, key } = issueCertificate(authority, { commonName: 'store', hosts });
  const server = createServer({ cert: certificate, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'PUT') stored = Buffer.concat(chunks);
      response.end(request.method === 'PUT' ? undefined : stored);
    });
  });
  server.on('secureConnection', (socket) => {
    resumed.push(socket.isSessionReused());
    named.push(socket.servername);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

beforeAll(async () => {
  port = await serve(['localhost', '127.0.0.1']);
  strangersPort = await serve(['elsewhere']);
});
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

function connect(ca: string | undefined, host = `localhost:${port}`): S3Client {
  return new S3Client({
    endpoint: `https://${host}`,
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

test('a host says its name to what chooses among stores by it; an address has none', async () => {
  const says = async (host: string, ask: (client: S3Client) => Promise<unknown>): Promise<unknown> => {
    const client = connect(authority.certificate, `${host}:${port}`);
    await ask(client);
    await client.close();
    return named.at(-1);
  };
  const whole = (client: S3Client): Promise<unknown> => getObject(client, object, never);
  const streamed = async (client: S3Client): Promise<unknown> =>
    text((await openObject(client, object, never)).body);
  for (const ask of [whole, streamed]) {
    expect(await says('localhost', ask)).toBe('localhost');
    expect(await says('127.0.0.1', ask)).toBe(false);
  }
});

test.each([
  ['by the host', 'localhost', () => port, undefined],
  ['by another name than its address', '127.0.0.1', () => strangersPort, 'elsewhere'],
])('the worker API is known %s', async (_, host, at, servername) => {
  const transport = new ApiTransport({ ca: authority.certificate, onlyThisCA: true, servername });
  const url = new URL(`https://${host}:${at()}/v1/grants`);
  const request = { what: 'grants', method: 'GET', url, headers: {}, timeout: 60_000 } as const;
  expect((await transport.send(request, never)).status).toBe(200);
  await transport.close();
  expect(named.at(-1)).toBe(servername ?? host);
});

test.each([
  ['signed by nobody we trust', undefined, () => port, /CERT|SIGNATURE|ISSUER/],
  ['for another host', authority.certificate, () => strangersPort, /ALTNAME/],
])('a store with a certificate %s is not talked to', async (_, ca, at, why) => {
  for (const host of ['localhost', '127.0.0.1']) {
    const client = connect(ca, `${host}:${at()}`);
    await expect(getObject(client, object, never)).rejects.toThrow(why);
    await expect(openObject(client, object, never)).rejects.toThrow(why);
    await client.close();
  }
});
