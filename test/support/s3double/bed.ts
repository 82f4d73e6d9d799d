import type { S3Server } from '../s3server.ts';
import { startDouble, type S3Double } from './server.ts';
import type { DoubleSetup } from './setup.ts';

/** A double in the place of a real server. */
export async function startDoubleServer(setup: DoubleSetup): Promise<{ double: S3Double; server: S3Server }> {
  const double = await startDouble(setup);
  const ignored = new Set(setup.ignored);
  const server: S3Server = {
    endpoint: double.endpoint,
    region: 'us-east-1',
    accessKeyId: 'A',
    secretAccessKey: 's',
    capabilities: {
      sourcePinned: !ignored.has('copySourceIfMatch'),
      createOnly: !ignored.has('copyIfNoneMatch'),
      putCreateOnly: !ignored.has('putIfNoneMatch'),
      completeCreateOnly: !ignored.has('completeIfNoneMatch'),
      deleteIfMatch: !ignored.has('deleteIfMatch'),
      aliases: setup.aliases ?? 'Exact',
    },
    checksums: false,
    createBucket: async (name) => {
      double.store.provide(name);
    },
    stop: () => double.stop(),
  };
  return { double, server };
}
