import type { S3Client } from '../s3/client.ts';
import type { CopyJob } from './job.ts';
import { explainStoreError } from './problems.ts';

/** The clients of both sides; one and the same when both locations name one store. */
export interface Sides {
  readonly source: S3Client;
  readonly destination: S3Client;
}

/** Requests that went to both sides so far, and those that were refused for being too many. */
export function trafficOf({ source, destination }: Sides): { requests: number; throttled: number } {
  const clients = [...new Set([source, destination])];
  return {
    requests: clients.reduce((sum, { traffic }) => sum + traffic.sent, 0),
    throttled: clients.reduce((sum, { traffic }) => sum + traffic.throttled, 0),
  };
}

/** Runs what talks to one side; a refusal of that store comes out as the sentence that explains it. */
export async function atStore<T>(
  job: CopyJob,
  sides: Sides,
  field: 'source' | 'destination',
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { store, bucket } = job[field];
    throw explainStoreError(error, { field, store, endpoint: sides[field].address(bucket).origin, bucket });
  }
}
