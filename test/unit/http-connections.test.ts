import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Exchange } from '../../workers/s3/exchange.ts';
import { Connections } from '../../workers/http/connections.ts';

let server: Server;
let sockets: Socket[];
/** What came in on each connection. */
let heard: string[];
let answer: (socket: Socket, text: string) => void;
let connections: Connections;

beforeEach(async () => {
  sockets = [];
  heard = [];
  server = createServer((socket) => {
    const place = sockets.push(socket) - 1;
    heard.push('');
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      heard[place] += bytes.toString('latin1');
      answer(socket, bytes.toString('latin1'));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  connections = open();
});
afterEach(async () => {
  connections.close();
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
});

function open(): Connections {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return new Connections({ origin: `http://127.0.0.1:${port}`, trust: undefined });
}

function get(path = '/', largest = 1000): Exchange {
  const exchange = new Exchange(largest);
  exchange.answer.catch(() => undefined);
  connections.dispatch({ method: 'GET', path, headers: { host: 'h' }, body: undefined }, exchange);
  return exchange;
}

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const bodyOf = async (exchange: Exchange): Promise<string> => (await exchange.answer).body.toString();

describe('answers', () => {
  test('come whole however they are cut', async () => {
    const wire =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
    const drip = async (socket: Socket): Promise<void> => {
      for (const sign of wire) {
        socket.write(sign);
        await sleep(1);
      }
    };
    answer = (socket) => void drip(socket);
    const { status, headers, body } = await get().answer;
    expect([status, headers['x'], body.toString()]).toEqual([200, 'y', 'abc']);
    answer = (socket) => socket.write(ok);
    expect(await bodyOf(get())).toBe('ok');
    expect(sockets).toHaveLength(1);
  });

  test('in chunks of a byte are whole as well', async () => {
    const chunks = Array.from('many small chunks', (sign) => `1\r\n${sign}\r\n`).join('');
    answer = (socket) =>
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
    expect(await bodyOf(get())).toBe('many small chunks');
  });

  test('may end with the connection', async () => {
    answer = (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall');
    expect(await bodyOf(get())).toBe('all');
    expect(await bodyOf(get())).toBe('all');
    expect(sockets).toHaveLength(2);
  });

  test.each([
    ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', 'closed'],
    ['half a head', 'HTTP/1.1 200 OK\r\nconte', 'closed'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf', 'closed'],
    ['nothing', '', 'closed'],
    ['no HTTP', 'SSH-2.0-x\r\n\r\n', 'does not begin'],
    ['a head without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`, 'too long'],
    ['more than was asked for', 'HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n', 'larger than'],
    [
      'more than was asked for, in chunks',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n${'x'.repeat(1001)}\r\n0\r\n\r\n`,
      'larger than',
    ],
  ])('that are %s are none', async (_, wire, why) => {
    answer = (socket) => socket.end(wire);
    await expect(get().answer).rejects.toThrow(why);
    answer = (socket) => socket.write(ok);
    expect(await bodyOf(get())).toBe('ok');
  });

  test('are never made of what came behind the one before', async () => {
    answer = (socket) => socket.write(`${ok}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`);
    const both = [get(), get(), get()];
    for (const exchange of both) expect(await bodyOf(exchange)).toBe('ok');
    expect(sockets).toHaveLength(3);
  });

  test('that come unasked end the connection', async () => {
    answer = (socket) => socket.write(ok);
    expect(await bodyOf(get())).toBe('ok');
    sockets[0]?.write('HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n');
    await vi.waitFor(() => expect(sockets[0]?.destroyed).toBe(true), { timeout: 120_000 });
    expect(await bodyOf(get())).toBe('ok');
  });
});

describe('connections', () => {
  test('are used again, and no more are made than are needed at a time', async () => {
    answer = (socket) => socket.write(ok);
    for (const round of [0, 1, 2])
      await Promise.all(['a', 'b'].map((path) => get(`/${path}${round}`).answer));
    expect(sockets).toHaveLength(2);
    const paths = [...heard.join('').matchAll(/GET \/(\w+)/g)].map(([, path]) => path);
    expect(new Set(paths)).toEqual(new Set(['a0', 'a1', 'a2', 'b0', 'b1', 'b2']));
  });

  test('a request that was broken off takes its connection with it, and not that of another', async () => {
    answer = () => undefined;
    const [first, second] = [get('/1'), get('/2')];
    await vi.waitFor(() => expect(heard.join('')).toMatch(/GET[^]*GET/), { timeout: 120_000 });
    first.abort(new Error('enough'));
    await expect(first.answer).rejects.toThrow('enough');
    answer = (socket) => socket.write(ok);
    expect(await bodyOf(get('/3'))).toBe('ok');
    sockets[heard.findIndex((text) => text.startsWith('GET /2'))]?.write(ok);
    expect(await bodyOf(second)).toBe('ok');
  });

  test('a request that is broken off before its connection stands is never sent', async () => {
    answer = (socket) => socket.write(ok);
    const early = get('/early');
    early.abort(new Error('not wanted'));
    await expect(early.answer).rejects.toThrow('not wanted');
    expect(await bodyOf(get('/later'))).toBe('ok');
    expect(heard.join('')).not.toContain('/early');
  });

  test('a request of which not all was sent when its answer came is not followed by another', async () => {
    answer = (socket) => {
      socket.pause();
      socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
    };
    const exchange = new Exchange(1000);
    const body = Buffer.alloc(64 * 1024 ** 2);
    connections.dispatch({ method: 'PUT', path: '/', headers: { host: 'h' }, body }, exchange);
    expect((await exchange.answer).status).toBe(403);
    answer = (socket) => socket.write(ok);
    expect(await bodyOf(get())).toBe('ok');
    expect(heard[1]).toMatch(/^GET/);
  });

  test('that nobody used for long are closed, and an idle one does not fail the next request when the server closes it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      answer = (socket) => socket.write(ok);
      expect(await bodyOf(get())).toBe('ok');
      await vi.advanceTimersByTimeAsync(5_000);
      vi.useRealTimers();
      await vi.waitFor(() => expect(sockets[0]?.destroyed).toBe(true), { timeout: 120_000 });
    } finally {
      vi.useRealTimers();
    }
    expect(await bodyOf(get())).toBe('ok');
    const last = sockets.at(-1);
    last?.end();
    await vi.waitFor(() => expect(last?.destroyed).toBe(true), { timeout: 120_000 });
    expect(await bodyOf(get())).toBe('ok');
  });

  test('nobody there is said with the system’s word', async () => {
    server.close();
    await once(server, 'close');
    await expect(get().answer).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  test('closing fails what is under way', async () => {
    answer = () => undefined;
    const all = [get(), get()];
    await vi.waitFor(() => expect(sockets).toHaveLength(2), { timeout: 120_000 });
    connections.close();
    for (const exchange of all) await expect(exchange.answer).rejects.toThrow('the client is closed');
  });

  test('what cannot be sent fails alone', async () => {
    answer = (socket) => socket.write(ok);
    expect(await bodyOf(get())).toBe('ok');
    await expect(get('/a b').answer).rejects.toThrow('a path with characters');
    expect(await bodyOf(get())).toBe('ok');
    expect(sockets).toHaveLength(1);
  });
});
