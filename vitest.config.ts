import { defineConfig } from 'vitest/config';

/**
 * One project per kind of test. `unit` needs nothing but Node; `cluster` suites need the native cluster and are
 * started by `npm test`, which brings one up first.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,property,golden,crash,loopback}/**/*.test.ts'],
          // Against a hang, not against a slow machine: whole lives of an operator pass in a test.
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // No test leaves anything in a module: to load them all anew for each file took more time than the tests.
          isolate: false,
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: 'integration',
          provide: { judge: 'versitygw' },
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          // The copy engine once more, before a server with other ways.
          name: 'radosgw',
          provide: { judge: 'radosgw' },
          include: ['test/integration/copy*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      { test: { name: 'chart', include: ['test/chart/**/*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          name: 'e2e',
          globalSetup: ['test/support/e2e/install.ts'],
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
