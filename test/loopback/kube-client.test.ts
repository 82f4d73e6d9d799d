import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../operator/kube/client.ts';
import {
  isAlreadyExists,
  isConflict,
  isExpired,
  isNotFound,
  KubeConnectionError,
  KubeError,
  KubeTimeoutError,
} from '../../operator/kube/errors.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { jobs, pods } from '../../operator/kube/resource.ts';
import type { Job } from '../../operator/kube/types.ts';
import { eventually } from '../support/fakeapi/eventually.ts';
import { FakeApi } from '../support/fakeapi/server.ts';

const job = (name: string): Job => ({
  metadata: { name, namespace: 'a' },
  spec: { template: { spec: { containers: [] } } },
});

describe('the client', () => {
  let api: FakeApi;
  let client: KubeClient;

  beforeEach(async () => {
    api = new FakeApi();
    await api.start();
    client = createKubeClient({
      access: api.access,
      userAgent: 'test/1',
      retry: { baseMs: 2, maxMs: 10, attempts: 6 },
    });
  });
  afterEach(async () => {
    await client.close();
    await api.stop();
  });

  it('creates, reads, patches, applies, updates and deletes raw JSON', async () => {
    const created = await client.create(jobs, 'a', job('x'));
    expect(created).toMatchObject({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'x' } });
    expect(created.metadata.creationTimestamp).toBe('2026-01-01T00:00:00Z');

    await client.mergePatch(jobs, 'a', 'x', { spec: { suspend: true, unknownField: 1 } });
    const read = await client.get(jobs, 'a', 'x');
    expect(read.spec).toMatchObject({ suspend: true, unknownField: 1 });

    const updated = await client.update(jobs, 'a', 'x', { ...read, spec: { ...read.spec, parallelism: 2 } });
    expect(updated.spec.parallelism).toBe(2);
    await expect(client.update(jobs, 'a', 'x', read)).rejects.toSatisfy(isConflict);

    const applied = await client.applyStatus(
      jobs,
      'a',
      'x',
      { active: 1 },
      { fieldManager: 'tester', resourceVersion: updated.metadata.resourceVersion },
    );
    expect(applied.status).toEqual({ active: 1 });
    const request = api.requests.at(-1);
    expect(request?.path).toBe('/apis/batch/v1/namespaces/a/jobs/x/status');
    expect(request?.headers['content-type']).toBe('application/apply-patch+yaml');
    expect(request?.query.get('fieldManager')).toBe('tester');
    expect(request?.query.get('force')).toBe('true');

    await client.delete(jobs, 'a', 'x', {
      propagationPolicy: 'Foreground',
      preconditions: { uid: created.metadata.uid ?? '' },
    });
    expect(JSON.parse(api.requests.at(-1)?.body ?? '')).toMatchObject({ propagationPolicy: 'Foreground' });
    await expect(client.get(jobs, 'a', 'x')).rejects.toSatisfy(isNotFound);
  });

  it('tells errors apart by status and reason', async () => {
    await client.create(jobs, 'a', job('x'));
    await expect(client.create(jobs, 'a', job('x'))).rejects.toSatisfy(
      (error) => isAlreadyExists(error) && !isConflict(error),
    );
    api.plan({ on: 'list', fault: { kind: 'status', code: 410, reason: 'Expired' } });
    await expect(client.list(jobs, 'a')).rejects.toSatisfy(isExpired);
    api.plan({ on: 'get', fault: { kind: 'status', code: 404, plain: true } });
    await expect(client.get(jobs, 'a', 'x')).rejects.toSatisfy(isNotFound);
  });

  it.each(['get', 'list', 'patch'] as const)('sends a %s again after every passing fault', async (verb) => {
    await client.create(jobs, 'a', job('x'));
    const on = verb === 'patch' ? 'write' : verb;
    api.plan(
      { on, fault: { kind: 'status', code: 500 } },
      { on, fault: { kind: 'status', code: 503, plain: true } },
      { on, fault: { kind: 'reset' } },
      { on, fault: { kind: 'halfBody' } },
      { on, fault: { kind: 'status', code: 429, reason: 'TooManyRequests' } },
    );
    const call = {
      get: () => client.get(jobs, 'a', 'x'),
      list: () => client.list(jobs, 'a'),
      patch: () => client.mergePatch(jobs, 'a', 'x', { spec: { suspend: true } }),
    };
    await expect(call[verb]()).resolves.toBeDefined();
    expect(api.plannedFaults).toBe(0);
  });

  it('gives up after a bounded number of attempts', async () => {
    for (let n = 0; n < 20; n += 1) api.plan({ on: 'get', fault: { kind: 'status', code: 500 } });
    await expect(client.get(jobs, 'a', 'x')).rejects.toMatchObject({ status: 500 });
    expect(api.requests).toHaveLength(6);
  });

  it('does not repeat what the server refused for good', async () => {
    api.plan({ on: 'get', fault: { kind: 'status', code: 403, reason: 'Forbidden' } });
    await expect(client.get(jobs, 'a', 'x')).rejects.toMatchObject({ status: 403, reason: 'Forbidden' });
    expect(api.requests).toHaveLength(1);
  });

  it('waits as long as Retry-After says, and fails at once when that is beyond the deadline', async () => {
    await client.create(jobs, 'a', job('x'));
    api.plan({ on: 'get', fault: { kind: 'status', code: 429, retryAfterSeconds: 1 } });
    const startMs = performance.now();
    await client.get(jobs, 'a', 'x');
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(1000);

    api.plan({ on: 'get', fault: { kind: 'status', code: 429, retryAfterSeconds: 3600 } });
    await expect(client.get(jobs, 'a', 'x')).rejects.toSatisfy(
      (error) => error instanceof KubeError && error.status === 429 && error.retryAfterMs === 3_600_000,
    );
  });

  it('never sends a create twice that the server may have taken', async () => {
    api.plan({ on: 'write', fault: { kind: 'lostAnswer' } });
    await expect(client.create(jobs, 'a', job('x'))).rejects.toBeInstanceOf(KubeConnectionError);
    api.plan({ on: 'write', fault: { kind: 'status', code: 500 } });
    await expect(client.create(jobs, 'a', job('y'))).rejects.toMatchObject({ status: 500 });
    expect(api.count((request) => request.method === 'POST')).toBe(2);

    api.plan({ on: 'write', fault: { kind: 'status', code: 429 } });
    await client.create(jobs, 'a', job('z'));
    expect(api.count((request) => request.method === 'POST')).toBe(4);
  });

  it('ends a hanging call at its deadline', async () => {
    api.plan({ on: 'get', fault: { kind: 'hang' } });
    await expect(client.get(jobs, 'a', 'x', { deadlineMs: 100 })).rejects.toBeInstanceOf(KubeTimeoutError);
  });

  it('ends a call, and its retries, when its signal aborts', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    api.plan({ on: 'get', fault: { kind: 'hang' } });
    const hanging = client.get(jobs, 'a', 'x', { signal: stop.signal });
    await eventually(() => expect(api.requests).toHaveLength(1));
    stop.abort(reason);
    await expect(hanging).rejects.toBe(reason);

    const waiting = new AbortController();
    api.plan({ on: 'get', fault: { kind: 'status', code: 429, retryAfterSeconds: 5 } });
    const delayed = client.get(jobs, 'a', 'x', { signal: waiting.signal });
    await eventually(() => expect(api.plannedFaults).toBe(0));
    waiting.abort(reason);
    await expect(delayed).rejects.toBe(reason);

    await expect(client.get(jobs, 'a', 'x', { signal: stop.signal })).rejects.toBe(reason);
    expect(api.requests).toHaveLength(2);
  });

  it('connects again when the server comes back', async () => {
    await client.create(jobs, 'a', job('x'));
    const { port } = api;
    await api.stop();
    await expect(client.get(jobs, 'a', 'x')).rejects.toMatchObject({ code: 'KUBE_CONNECTION', unsent: true });
    const again = new FakeApi();
    await again.start(port);
    again.world.put('/apis/batch/v1/namespaces/a/jobs/x', job('x'));
    await expect(client.get(jobs, 'a', 'x')).resolves.toMatchObject({ metadata: { name: 'x' } });
    await again.stop();
    await api.start();
  });

  it('follows the pages of a list', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await client.create(jobs, 'a', job(name));
    const list = await client.list(jobs, undefined, { limit: 2 });
    expect(list.items.map((item) => item.metadata.name)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(list.metadata.resourceVersion).toBe(String(api.world.version));
  });

  it('keeps the token out of its errors', async () => {
    api.plan({ on: 'any', fault: { kind: 'status', code: 403, reason: 'Forbidden' } });
    const error: unknown = await client
      .tokenReview('planted-review-token', ['ebb'])
      .catch((each: unknown) => each);
    const text = `${String(error)} ${JSON.stringify(error)} ${error instanceof Error ? error.stack : ''}`;
    expect(text).not.toContain('planted');
    expect(api.requests.at(-1)?.headers.authorization).toBe('Bearer planted-secret-token');
  });

  it('asks who a token belongs to', async () => {
    api.tokens.set('good', { authenticated: true, audiences: ['ebb'], user: { username: 'u' } });
    await expect(client.tokenReview('good', ['ebb'])).resolves.toMatchObject({ authenticated: true });
    await expect(client.tokenReview('forged', ['ebb'])).resolves.toEqual({ authenticated: false });
  });

  it('streams a log until its reader or its signal stops', async () => {
    api.logs.set('a/p/main', 'one\ntwo\n');
    const whole: Uint8Array[] = [];
    for await (const chunk of client.podLog({ namespace: 'a', pod: 'p', container: 'main' }))
      whole.push(chunk);
    expect(Buffer.concat(whole).toString()).toBe('one\ntwo\n');

    // The reader leaves.
    for await (const chunk of client.podLog({ namespace: 'a', pod: 'p', container: 'main', follow: true })) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    // The signal ends it.
    const stop = new AbortController();
    const reason = new Error('enough');
    const read = async (): Promise<void> => {
      const options = { namespace: 'a', pod: 'p', container: 'main', follow: true, signal: stop.signal };
      for await (const chunk of client.podLog(options)) {
        expect(chunk.length).toBeGreaterThan(0);
        stop.abort(reason);
      }
    };
    await expect(read()).rejects.toBe(reason);
    await expect(
      client.podLog({ namespace: 'a', pod: 'q', container: 'main' })[Symbol.asyncIterator]().next(),
    ).rejects.toSatisfy(isNotFound);
  });

  it('ends a watch that says nothing', async () => {
    api.plan({ on: 'watch', fault: { kind: 'silent', after: 0 } });
    const watch = client.watch(pods, undefined, { resourceVersion: '100', idleTimeoutMs: 50 });
    await expect(watch[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(KubeTimeoutError);
  });

  it('tells a watch that broke from one that ended', async () => {
    api.world.put('/api/v1/namespaces/a/pods/p', { metadata: { name: 'p', namespace: 'a' } });
    const read = async (): Promise<string[]> => {
      const seen: string[] = [];
      for await (const event of client.watch(pods, undefined, { resourceVersion: '100' }))
        seen.push(event.type);
      return seen;
    };
    api.plan({ on: 'watch', fault: { kind: 'end', after: 1 } });
    await expect(read()).resolves.toContain('ADDED');
    for (const kind of ['halfLine', 'break', 'garbage'] as const) {
      api.plan({ on: 'watch', fault: { kind, after: 1 } });
      await expect(read()).rejects.toBeInstanceOf(KubeConnectionError);
    }
    api.plan({ on: 'watch', fault: { kind: 'expire', after: 1 } });
    await expect(read()).rejects.toSatisfy(isExpired);
  });

  it('ends a watch that does not even begin, when its signal aborts', async () => {
    const stop = new AbortController();
    api.plan({ on: 'watch', fault: { kind: 'hang' } });
    const next = client.watch(pods, undefined, { signal: stop.signal })[Symbol.asyncIterator]().next();
    await eventually(() => expect(api.requests).toHaveLength(1));
    stop.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
  });
});
