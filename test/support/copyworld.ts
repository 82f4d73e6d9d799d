/** What the tests of the copy engine share: a server for a file, buckets for a test, and objects that change their keys. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { S3Server } from './s3server.ts';

/** One server for a whole file, and for each of its tests two buckets that nobody has used. */
export interface Buckets<Server> {
  readonly server: Server;
  readonly from: string;
  readonly to: string;
}

/** Registers the hooks that provide them; what is returned holds what the current test has. `prepare` runs once. */
export function provideBuckets<Server extends Pick<S3Server, 'createBucket' | 'stop'>>(
  start: () => Promise<Server>,
  prepare: (server: Server) => Promise<void> = async () => undefined,
): Buckets<Server> {
  let server: Server | undefined;
  let round = 0;
  beforeAll(async () => {
    server = await start();
    await prepare(server);
  });
  afterAll(async () => server?.stop());
  beforeEach(async () => {
    round += 1;
    await server?.createBucket(`from-${round}`);
    await server?.createBucket(`to-${round}`);
  });
  return {
    get server() {
      if (server === undefined) throw new Error('the server is not started yet');
      return server;
    },
    get from() {
      return `from-${round}`;
    },
    get to() {
      return `to-${round}`;
    },
  };
}

/** Three hundred small objects below `in/`, and what the rule makes of them below `out/`. */
export const OBJECTS = Array.from({ length: 300 }, (_, n) => [`in/d${n % 5}/k${n}`, `content ${n}`] as const);
export const RULE = { match: '^(?<d>d\\d)/k(?<n>\\d+)$', replace: '{n}-{d}' };
export const EXPECTED: ReadonlyMap<string, string> = new Map(
  OBJECTS.map(([key, body]) => [key.replace(/^in\/(d\d)\/k(\d+)$/, 'out/$2-$1'), body]),
);

/** The copy stage that moves them from one bucket to the other. */
export function renamingStage(
  { from, to }: { readonly from: string; readonly to: string },
  extra: object = {},
) {
  return {
    source: { store: 'lake', bucket: from, prefix: 'in/' },
    destination: { store: 'lake', bucket: to, prefix: 'out/' },
    rename: [RULE],
    ...extra,
  };
}
