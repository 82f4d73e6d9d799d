import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { validateSpec } from '../../operator/api/validate.ts';
import { PipelineRunServer } from '../support/examples/server.ts';
import { spoilt } from '../support/examples/spoil.ts';

let server: PipelineRunServer;
beforeAll(async () => {
  server = await PipelineRunServer.open(`crd-agreement-${process.pid}`);
});
afterAll(async () => server.close());

test('code and API server agree on objects that are almost right', async () => {
  await fc.assert(
    fc.asyncProperty(spoilt, async (spec) => {
      const problems = validateSpec(spec, 'example').filter(
        (problem) => !problem.message.includes('in a circle'),
      );
      const { status, message } = await server.create(spec, 'example', { dryRun: true });
      expect({ valid: problems.length === 0, problems, message }).toMatchObject({ valid: status === 201 });
    }),
    { numRuns: 250 },
  );
});
