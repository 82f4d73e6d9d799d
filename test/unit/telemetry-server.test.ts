import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../operator/kube/logger.ts';
import { createMetrics } from '../../operator/telemetry/registry.ts';
import { startTelemetryServer, type TelemetryServer } from '../../operator/telemetry/server.ts';

let server: TelemetryServer | undefined;
afterEach(() => server?.close());

async function start(options: Partial<Parameters<typeof startTelemetryServer>[0]> = {}) {
  server = await startTelemetryServer({
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    metrics: () => createMetrics({ version: '1', node: '26' }).expose(),
    alive: {},
    ready: {},
    ...options,
  });
  const { port } = server;
  return async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(120_000) });
    return { code: response.status, type: response.headers.get('content-type'), text: await response.text() };
  };
}

describe('the telemetry listener', () => {
  it('serves the metrics in the text format of Prometheus', async () => {
    const get = await start();
    const { code, type, text } = await get('/metrics');
    expect(code).toBe(200);
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text).toContain('ebbflow_build_info{version="1",node="26"} 1');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
  });

  it('answers 200 while every check passes, else 503 with what failed', async () => {
    let broken = false;
    const get = await start({
      ready: {
        caches: () => undefined,
        store: () => {
          if (broken) throw new Error('the results store does not answer');
        },
      },
    });
    expect(await get('/readyz')).toMatchObject({ code: 200, text: '[+]caches ok\n[+]store ok\nok\n' });
    broken = true;
    expect(await get('/readyz')).toMatchObject({
      code: 503,
      text: '[+]caches ok\n[-]store failed: the results store does not answer\nfailed\n',
    });
    expect((await get('/healthz')).code).toBe(200);
  });

  it('a check that hangs fails, and does not hang the answer', async () => {
    const get = await start({ checkMs: 20, alive: { loop: () => new Promise<void>(() => undefined) } });
    expect(await get('/healthz')).toMatchObject({ code: 503, text: expect.stringContaining('within 20 ms') });
  });

  it('says nothing of an inner error but that there was one', async () => {
    const get = await start({ metrics: () => Promise.reject(new Error('the planted detail')) });
    expect(await get('/metrics')).toMatchObject({ code: 500, text: 'internal error\n' });
  });
});
