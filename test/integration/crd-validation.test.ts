import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INVALID } from '../support/examples/invalid.ts';
import { PipelineRunServer } from '../support/examples/server.ts';
import { UPDATES } from '../support/examples/updates.ts';
import { VALID } from '../support/examples/valid.ts';

let server: PipelineRunServer;
beforeAll(async () => {
  server = await PipelineRunServer.open(`crd-validation-${process.pid}`);
});
afterAll(async () => server.close());

describe('the API server accepts', () => {
  test.each(VALID)('$title', async ({ spec, name = 'example' }) => {
    const { status, message } = await server.create(spec, name, { dryRun: true });
    expect({ status, message }).toEqual({ status: 201, message: '' });
  });
});

describe('the API server refuses', () => {
  const refused = INVALID.filter((example) => !example.onlyInCode);
  test.each(refused)('$title', async ({ spec, name = 'example', says, serverSays = says }) => {
    const { status, message } = await server.create(spec, name, { dryRun: true });
    expect(message).toContain(serverSays);
    expect([400, 422]).toContain(status);
  });
});

test('what is refused in code only is accepted here: nobody relies on the API server for it', async () => {
  const onlyInCode = INVALID.filter((example) => example.onlyInCode);
  const answers = onlyInCode.map(({ spec }) => server.create(spec, 'example', { dryRun: true }));
  const statuses = (await Promise.all(answers)).map((answer) => answer.status);
  expect(statuses).toEqual(onlyInCode.map(() => 201));
  expect(onlyInCode.map((example) => example.title)).toEqual(['a circle of three stages']);
});

describe('on an existing object', () => {
  test.each(UPDATES.map((update, index) => ({ ...update, name: `update-${index}` })))(
    '$title',
    async ({ name, before, after, refused = '' }) => {
      expect((await server.create(before, name)).message).toBe('');
      const { status, message } = await server.tryReplace(name, after);
      expect(message).toContain(refused);
      expect(status).toBe(refused === '' ? 200 : 422);
    },
  );
});
