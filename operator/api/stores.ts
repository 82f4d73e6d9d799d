/** Stores and locations: where data lives. */
import { z } from 'zod';
import type { Immutable } from './immutable.ts';
import { bucketName, dnsLabel, formed, keyPrefix, objectName } from './common.ts';

export const store = z
  .object({
    name: dnsLabel.describe('Name by which locations refer to this store.'),
    endpoint: formed(
      512,
      /^https?:\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\/?$/,
      'must be an http or https URL without user and path, such as https://s3.eu-central-1.amazonaws.com',
    )
      .optional()
      .describe(
        'URL of the S3 endpoint. Default: Amazon S3 in the region. It is dialled from the pods of the run only.',
      ),
    region: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('Region that requests are signed for. Default: us-east-1.'),
    addressing: z
      .enum(['Path', 'Virtual'])
      .optional()
      .describe(
        'Whether the bucket stands in the path or in the host name. Default: Path with an endpoint, Virtual without.',
      ),
    secretRef: z
      .object({ name: objectName.describe('Name of the Secret.') })
      .optional()
      .describe(
        'Secret in the namespace of the run with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and optionally AWS_SESSION_TOKEN and ca.crt. Left out: the workload identity of the service account.',
      ),
  })
  .describe('An S3 endpoint and the credentials for it.');

const storeName = dnsLabel
  .optional()
  .describe('Name of the store. May be left out when the run has just one.');

export const location = z
  .object({ store: storeName, bucket: bucketName, prefix: keyPrefix.optional() })
  .describe('A bucket, and a prefix in it.');

/** An input or output of a stage's container is a location with a path; shared fields are declared once. */
export const locationFields = { store: storeName, bucket: bucketName, prefix: keyPrefix.optional() };

export type Store = Immutable<z.infer<typeof store>>;
export type Location = Immutable<z.infer<typeof location>>;
