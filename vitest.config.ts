import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longestfirst.ts';

/** Files that take the operator away from everybody else. */
const disturbing = ['test/e2e/operator.test.ts'];

/** Files that start the server that their project names. */
export const judged = ['copy', 'copy-crash', 'copy-faults', 'copy-model'].map(
  (name) => `test/integration/${name}.test.ts`,
);

/** Against a hang, not against a slow machine: tests that go on beside whole runs get the processor that those leave. */
const longLimits = { testTimeout: 300_000, hookTimeout: 300_000 };

/**
 * One project per kind of test. `unit` needs nothing but Node; the others need the native cluster and are started by
 * `npm test`, which brings one up first. Tests that wait for a cluster cost little while they do: more files go on at
 * a time than there are cores.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,property,golden,crash,loopback}/**/*.test.ts'],
          ...longLimits,
          // No test leaves anything in a module: to load them all anew for each file took more time than the tests.
          isolate: false,
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          provide: { judge: 'versitygw' },
          globalSetup: ['test/support/examples/definition.ts'],
          include: ['test/integration/**/*.test.ts'],
          ...longLimits,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          // The copy engine once more, before a server with other ways.
          name: 'radosgw',
          provide: { judge: 'radosgw' },
          include: judged,
          ...longLimits,
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'chart',
          include: ['test/chart/**/*.test.ts'],
          ...longLimits,
          maxWorkers: 3,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'e2e',
          globalSetup: ['test/support/e2e/install.ts'],
          include: ['test/e2e/**/*.test.ts'],
          exclude: disturbing,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Files follow one another, but for one that mostly waits: see openBed.
          maxWorkers: 2,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          name: 'e2e-alone',
          globalSetup: ['test/support/e2e/install.ts'],
          include: disturbing,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
});
