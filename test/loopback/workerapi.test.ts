import { createHash } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { afterEach, expect, test } from 'vitest';
import { jobName, LABEL } from '../../operator/api/names.ts';
import { createWorkerApi } from '../../operator/workerapi/server.ts';
import { REFUSALS } from '../../operator/workerapi/errors.ts';
import type { TokenReviewStatus } from '../../operator/kube/types.ts';
import { runPrefix } from '../../workers/contract/keys.ts';
import { type GrantReply, grantReply, REFUSAL, ROUTES } from '../../workers/contract/workerapi.ts';
import { issueCertificate, makeAuthority } from '../cluster/certificates.ts';
import { attemptRef, uid } from '../support/results/fakepods.ts';
import { CLUSTER, manifestOf } from '../support/results/runs.ts';
import { createWorld, fakeToken, reviewOf, type WorkerWorld } from '../support/results/workerworld.ts';

const authority = makeAuthority();
const { certificate, key } = issueCertificate(authority, {
  commonName: 'worker-api',
  hosts: ['worker-api.test'],
});
const stops: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

interface Answer {
  status: number;
  body: unknown;
  text: string;
}

type Send = (path: string, body?: unknown, token?: string | null) => Promise<Answer>;

async function serve(world: WorkerWorld): Promise<Send> {
  const server = createWorkerApi(world.deps, { cert: certificate, key });
  await server.listen({ host: '127.0.0.1', port: 0 });
  stops.push(() => server.close());
  const address = server.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  return (path, body = {}, token = world.token) =>
    new Promise((resolve, reject) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const headers: Record<string, string> = { 'content-type': 'application/json' };
      if (token !== null) headers['authorization'] = `Bearer ${token}`;
      const options = {
        method: 'POST',
        path,
        headers,
        ca: authority.certificate,
        servername: 'worker-api.test',
      };
      const request = httpsRequest({ host: '127.0.0.1', port, ...options }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          const answer = Buffer.concat(parts).toString('utf8');
          resolve({
            status: response.statusCode ?? 0,
            text: answer,
            body: answer === '' ? undefined : JSON.parse(answer),
          });
        });
      });
      request.on('error', reject);
      request.end(text);
    });
}

const ALL = [ROUTES.grants, ROUTES.planned, ROUTES.progress, ROUTES.commit, ROUTES.report];
const VALID: Record<string, unknown> = {
  [ROUTES.grants]: {},
  [ROUTES.planned]: { workers: 3 },
  [ROUTES.progress]: { done: 1, total: 2, unit: 'steps' },
  [ROUTES.commit]: {},
  [ROUTES.report]: { sha256: '0'.repeat(64) },
};

/** Asks for everything and tells what came of it. */
async function askAll(world: WorkerWorld, token: string | null): Promise<unknown> {
  const send = await serve(world);
  const answers: unknown[] = [];
  for (const path of ALL) {
    const { status, body } = await send(path, VALID[path], token);
    answers.push({ path, status, body });
  }
  const effects = world.reported.length + world.progressed.length + world.admittedPods.length;
  return { answers, effects, tokenLogged: world.logged.join('\n').includes(token ?? world.token) };
}

/** That nothing came of it, for this reason. */
function nothing(code: keyof typeof REFUSALS): unknown {
  const { status, message } = REFUSALS[code];
  return {
    answers: ALL.map((path) => ({ path, status, body: { code, message } })),
    effects: 0,
    tokenLogged: false,
  };
}

test('a worker gets its URLs, reports progress, is admitted, and is believed about a manifest that is stored', async () => {
  const world = createWorld();
  const send = await serve(world);
  const own = `train/0/${uid(100)}.0/`;
  const grants = await send(ROUTES.grants, { put: [`${own}worker.json`, `${own}outputs.json`] });
  expect(grants.status).toBe(200);
  expect(grants.body).toMatchObject({
    put: [{ key: `${own}worker.json`, headers: { 'if-none-match': '*' } }, { key: `${own}outputs.json` }],
    get: [],
    existing: [],
  });
  expect((await send(ROUTES.progress, VALID[ROUTES.progress])).status).toBe(204);
  expect(world.progressed[0]).toMatchObject({
    caller: { stage: 'train', podUID: uid(100), attempt: 1, index: 0 },
    progress: { done: 1 },
  });
  expect((await send(ROUTES.commit)).body).toEqual({ admitted: true });

  const bytes = Buffer.from(JSON.stringify(manifestOf(attemptRef())));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  expect((await send(ROUTES.report, { sha256 })).body).toMatchObject({ code: 'ManifestMissing' });
  const prefix = runPrefix({ cluster: CLUSTER, namespace: 'team', runUID: uid(1) });
  world.store.objects.set(`${prefix}${own}worker.json`, bytes);
  expect((await send(ROUTES.report, { sha256: 'a'.repeat(64) })).body).toMatchObject({
    code: 'ManifestDiffers',
  });
  expect(world.reported).toEqual([]);
  expect((await send(ROUTES.report, { sha256 })).status).toBe(204);
  expect(world.reported[0]?.manifest.podUID).toBe(uid(100));
  expect(world.asked).toEqual([{ token: world.token, audiences: ['ebbflow'] }]);
});

test('no token, a forged one, and one of another audience get nothing', async () => {
  expect(await askAll(createWorld(), null)).toEqual(nothing('Unauthenticated'));
  expect(await askAll(createWorld(), fakeToken('forged'))).toEqual(nothing('Unauthenticated'));
  expect(await askAll(createWorld(), 'not-a-token')).toEqual(nothing('Unauthenticated'));
  const world = createWorld();
  const other = fakeToken('other-audience');
  world.reviews.set(other, { ...reviewOf(world.pod), audiences: ['https://kubernetes.default.svc'] });
  expect(await askAll(world, other)).toEqual(nothing('Unauthenticated'));
  const silent = createWorld();
  const without = fakeToken('without-audiences');
  const { audiences: _, ...rest } = reviewOf(silent.pod);
  silent.reviews.set(without, rest);
  expect(await askAll(silent, without)).toEqual(nothing('Unauthenticated'));
});

test('a token of a service account without a pod, or of another kind of user, gets nothing', async () => {
  const world = createWorld();
  world.reviews.set(world.token, {
    authenticated: true,
    audiences: ['ebbflow'],
    user: { username: 'system:serviceaccount:team:default' },
  });
  expect(await askAll(world, world.token)).toEqual(nothing('NotAWorker'));
  const person = createWorld();
  const review = reviewOf(person.pod);
  person.reviews.set(person.token, { ...review, user: { ...review.user, username: 'jane' } });
  expect(await askAll(person, person.token)).toEqual(nothing('NotAWorker'));
});

const STRANGERS: Record<string, (world: WorkerWorld) => void> = {
  'the pod has another UID by now': ({ pod }) => {
    pod.metadata.uid = uid(101);
  },
  'the token is from another namespace': (world) => {
    const review = reviewOf(world.pod);
    world.reviews.set(world.token, {
      ...review,
      user: { ...review.user, username: 'system:serviceaccount:elsewhere:default' },
    });
  },
  'the pod has no controller': ({ pod }) => {
    pod.metadata.ownerReferences = [];
  },
  'the owner of the pod is not its controller': ({ pod }) => {
    for (const owner of pod.metadata.ownerReferences ?? []) owner.controller = false;
  },
  'the pod belongs to a ReplicaSet': ({ pod }) => {
    for (const owner of pod.metadata.ownerReferences ?? []) owner.kind = 'ReplicaSet';
  },
  'the Job has another UID by now': ({ job }) => {
    job.metadata.uid = uid(51);
  },
  'the Job has a name that we have not given it': ({ job, pod }) => {
    job.metadata.name = 'mine';
    for (const owner of pod.metadata.ownerReferences ?? []) owner.name = 'mine';
  },
  'the Job makes pods for another attempt than its own': ({ job }) => {
    job.spec.template.metadata = { labels: { [LABEL.stage]: 'train', [LABEL.attempt]: '2' } };
  },
  'the Job has no owner': ({ job }) => {
    job.metadata.ownerReferences = [];
  },
  'the run is not there any more': ({ job }) => {
    for (const owner of job.metadata.ownerReferences ?? []) owner.uid = uid(2);
  },
  'the run is in another namespace': (world) => {
    world.run = { ...world.run, metadata: { ...world.run.metadata, namespace: 'elsewhere' } };
  },
  'the stage is not one of the run': ({ job, pod, run }) => {
    const name = jobName(run.metadata, 'deploy', 1);
    job.metadata.name = name;
    job.spec.template.metadata = { labels: { [LABEL.stage]: 'deploy', [LABEL.attempt]: '1' } };
    for (const owner of pod.metadata.ownerReferences ?? []) owner.name = name;
  },
  'the pod has no index': ({ pod }) => {
    pod.metadata.annotations = {};
  },
};

test.each(Object.entries(STRANGERS))('a genuine token gets nothing when %s', async (_name, bend) => {
  const world = createWorld();
  bend(world);
  expect(await askAll(world, world.token)).toEqual(nothing('NotAWorker'));
});

test('what anybody may write on a Job is nothing to its workers', async () => {
  const world = createWorld();
  world.job.metadata.labels = { [LABEL.stage]: 'deploy', [LABEL.attempt]: '7' };
  const send = await serve(world);
  expect((await send(ROUTES.commit)).body).toEqual({ admitted: true });
  world.job.metadata.labels = {};
  expect((await send(ROUTES.commit)).body).toEqual({ admitted: true });
});

test('a pod that the operator has given up gets nothing, even with a token that was good before', async () => {
  const world = createWorld();
  const send = await serve(world);
  expect((await send(ROUTES.commit)).body).toEqual({ admitted: true });
  world.admittedPods.length = 0;
  world.fenced.add(uid(100));
  expect(await askAll(world, world.token)).toEqual(nothing('Fenced'));
});

test('a pod that was marked as failed gets nothing from an operator that never heard of its fencing', async () => {
  const world = createWorld();
  world.pod.status = { phase: 'Failed', reason: 'NodeLost' };
  expect(await askAll(world, world.token)).toEqual(nothing('Fenced'));
});

test('an answer is remembered for a minute at most and never beyond the life of the token; refusals never', async () => {
  const world = createWorld();
  let now = 1000;
  world.deps.clock = { ...world.deps.clock, monotonicMs: () => now };
  const send = await serve(world);
  await send(ROUTES.commit);
  now += 59_000;
  await send(ROUTES.commit);
  expect(world.asked).toHaveLength(1);
  now += 2000;
  await send(ROUTES.commit);
  expect(world.asked).toHaveLength(2);
  const short = fakeToken('short', 2);
  world.reviews.set(short, reviewOf(world.pod));
  await send(ROUTES.commit, {}, short);
  now += 3000;
  world.reviews.delete(short);
  expect((await send(ROUTES.commit, {}, short)).status).toBe(401);
  expect((await send(ROUTES.commit, {}, short)).status).toBe(401);
  expect(world.asked).toHaveLength(5);
});

test('no number of unknown tokens makes more questions at a time than the API server should get', async () => {
  const world = createWorld();
  const answer = Promise.withResolvers<TokenReviewStatus>();
  let asked = 0;
  world.deps.tokenReview = () => {
    asked += 1;
    return answer.promise;
  };
  const send = await serve(world);
  const sent = Array.from({ length: 150 }, (_, n) => send(ROUTES.commit, {}, fakeToken(`flood-${n}`)));
  const early = await Promise.race(sent);
  expect(early.body).toMatchObject({ code: 'ReviewUnavailable' });
  expect(asked).toBe(100);
  answer.resolve({ authenticated: false });
  const statuses = (await Promise.all(sent)).map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([401, 503]));
});

test('when the API server does not answer, workers are told to come again', async () => {
  const world = createWorld();
  world.deps.tokenReview = async () => {
    throw new Error('connect ECONNREFUSED');
  };
  expect(await askAll(world, world.token)).toEqual(nothing('ReviewUnavailable'));
});

test('a grant is only for own keys; of other stages only for those depended on, and only admitted outputs', async () => {
  const world = createWorld();
  const send = await serve(world);
  const stages = world.run.status?.stages?.map((stage) =>
    stage.name === 'arrange' ? { ...stage, admitted: uid(200) } : stage,
  );
  world.run = { ...world.run, status: { ...world.run.status, stages } };
  const refused = [
    { put: [`train/0/${uid(101)}.0/worker.json`] },
    { put: [`train/0/${uid(100)}.0/sealed.json`] },
    { put: [`train/0/${uid(100)}.0/c/00000000.zst`] },
    { put: [`train/0/${uid(100)}.0/../../../run.json`] },
    { put: ['run.json'] },
    { put: ['train/plan/index.json'] },
    { get: [`arrange/0/${uid(201)}.0/outputs.json`] },
    { get: [`arrange/0/${uid(200)}.0/worker.json`] },
    { get: ['other/plan/index.json'] },
    { list: ['other'] },
  ];
  for (const body of refused) {
    const answer = await send(ROUTES.grants, body);
    expect(answer.body, JSON.stringify(body)).toMatchObject({ code: 'NotGranted' });
    expect(answer.text).not.toContain('store.test');
  }
  const prefix = runPrefix({ cluster: CLUSTER, namespace: 'team', runUID: uid(1) });
  for (const name of [
    'arrange/plan/index.json',
    'arrange/plan/0.zst',
    `arrange/ledger/0/${uid(200)}-000000.zst`,
    `arrange/0/${uid(200)}.0/outputs.json`,
    `arrange/0/${uid(201)}.0/outputs.json`,
    `arrange/0/${uid(200)}.0/worker.json`,
  ])
    world.store.objects.set(prefix + name, Buffer.from('{}'));
  const granted = await send(ROUTES.grants, {
    list: ['arrange', 'train'],
    get: [`arrange/0/${uid(200)}.0/outputs.json`],
  });
  expect(granted.body).toMatchObject({
    existing: [
      { key: 'arrange/plan/0.zst', size: 2 },
      { key: 'arrange/plan/index.json' },
      { key: `arrange/ledger/0/${uid(200)}-000000.zst` },
      { key: `arrange/0/${uid(200)}.0/outputs.json` },
    ],
    get: [{ key: `arrange/0/${uid(200)}.0/outputs.json` }],
  });
});

test('what a large copy has stored is listed in pages, which have everything once', async () => {
  const world = createWorld();
  const send = await serve(world);
  const stages = world.run.status?.stages?.map((stage) =>
    stage.name === 'arrange' ? { ...stage, admitted: uid(200) } : stage,
  );
  world.run = { ...world.run, status: { ...world.run.status, stages } };
  const keys = [
    ...Array.from({ length: 5_000 }, (_, n) => `arrange/plan/${n}.zst`),
    ...Array.from({ length: 6_001 }, (_, n) => `arrange/ledger/${n}/done.json`),
    `arrange/0/${uid(200)}.0/outputs.json`,
  ];
  const prefix = runPrefix({ cluster: CLUSTER, namespace: 'team', runUID: uid(1) });
  for (const name of keys) world.store.objects.set(prefix + name, Buffer.from('{}'));
  const pages: string[][] = [];
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: GrantReply = grantReply.parse((await send(ROUTES.grants, { list: ['arrange'], after })).body);
    pages.push(page.existing.map((grant) => grant.key));
    after = page.more;
  }
  expect(pages.map(({ length }) => length)).toEqual([5_000, 5_000, 1_002]);
  expect(pages.flat().toSorted()).toEqual(keys.toSorted());
  // So a worker finds what is stored of one shard.
  const shard = { list: ['arrange'], after: 'arrange/ledger/6000/' };
  const { existing } = grantReply.parse((await send(ROUTES.grants, shard)).body);
  expect(existing[0]?.key).toBe('arrange/ledger/6000/done.json');
  const foreign = await send(ROUTES.grants, { list: ['arrange'], after: 'train/plan/0.zst' });
  expect(foreign.body).toMatchObject({ code: 'NotGranted' });
});

test('a manifest that names another worker is not believed', async () => {
  const world = createWorld();
  const send = await serve(world);
  const prefix = runPrefix({ cluster: CLUSTER, namespace: 'team', runUID: uid(1) });
  for (const wrong of [
    manifestOf(attemptRef({ podUID: uid(101) })),
    manifestOf(attemptRef({ attempt: 2 })),
    manifestOf(attemptRef({ runUID: uid(2) })),
    { hello: 'world' },
  ]) {
    const bytes = Buffer.from(JSON.stringify(wrong));
    world.store.objects.set(`${prefix}train/0/${uid(100)}.0/worker.json`, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect((await send(ROUTES.report, { sha256 })).body).toMatchObject({ code: 'ManifestForeign' });
  }
  expect(world.reported).toEqual([]);
});

test('of a manifest without end only so much is read as one can have', async () => {
  const world = createWorld();
  const manifestKey = `${runPrefix({ cluster: CLUSTER, namespace: 'team', runUID: uid(1) })}train/0/${uid(100)}.0/worker.json`;
  const bytes = Buffer.from(JSON.stringify({ ...manifestOf(attemptRef()), filler: 'x'.repeat(100_000) }));
  world.store.objects.set(manifestKey, bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const answer = await (await serve(world))(ROUTES.report, { sha256 });
  expect(answer.body).toMatchObject({ code: 'ManifestDiffers' });
  expect(world.reported).toEqual([]);
});

test('a pod of a suspended run is told so, in a way that it can tell from a refusal', async () => {
  const world = createWorld();
  const suspended = Object.assign(new Error('the run is suspended'), { code: 'RUN_SUSPENDED' });
  world.deps.admit = async () => Promise.reject(suspended);
  const answer = await (await serve(world))(ROUTES.commit);
  expect(answer).toMatchObject({ status: 409, body: { code: REFUSAL.runSuspended } });
});

test('a pod whose attempt is not noted yet is asked to come back', async () => {
  const world = createWorld();
  world.deps.admit = async () => Promise.reject(Object.assign(new Error(), { code: 'ATTEMPT_UNKNOWN' }));
  const answer = await (await serve(world))(ROUTES.commit);
  expect(answer).toMatchObject({ status: 503, body: { code: 'AttemptUnknown' } });
});

test('malformed, oversized and too frequent requests are refused with a code', async () => {
  const world = createWorld();
  world.deps.clock = { ...world.deps.clock, monotonicMs: () => 1000 };
  const send = await serve(world);
  expect((await send(ROUTES.progress, '{')).body).toMatchObject({ code: 'BadRequest' });
  expect((await send(ROUTES.progress, { done: -1, total: 1, unit: 'x' })).body).toMatchObject({
    code: 'BadRequest',
    message: expect.stringContaining('done'),
  });
  expect((await send(ROUTES.progress, { done: 1, total: 1, unit: 'x'.repeat(5000) })).body).toMatchObject({
    code: 'TooLarge',
  });
  expect((await send('/v1/unknown')).body).toMatchObject({ code: 'NotFound' });
  const statuses: number[] = [];
  for (let n = 0; n < 110; n += 1) statuses.push((await send(ROUTES.commit)).status);
  // One of the hundred was used up above: what is no request at all asks nobody.
  expect(statuses.indexOf(429)).toBe(99);
  expect(statuses.slice(99).every((status) => status === 429)).toBe(true);
});

test('a store that refuses is said so, and workers come again', async () => {
  const world = createWorld();
  world.store.refusing = true;
  const send = await serve(world);
  expect((await send(ROUTES.report, { sha256: '0'.repeat(64) })).body).toMatchObject({
    code: 'StoreUnavailable',
  });
});
