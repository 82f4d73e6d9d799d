/** Where objects are, as it is written on the command line. Pure. */
import { CliError } from '../errors.ts';

/** A bucket and a literal prefix. */
export interface S3Location {
  readonly bucket: string;
  readonly prefix: string;
}

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/**
 * Reads `s3://bucket/prefix`. The prefix is taken byte for byte: nothing is decoded, and no slash is added.
 * @throws CliError that says what is wrong with it.
 */
export function parseLocation(text: string, what: string): S3Location {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(text) ?? [];
  if (bucket === undefined) {
    throw usage(`the ${what} ${JSON.stringify(text)} is no location: write s3://bucket/prefix`);
  }
  if (!BUCKET.test(bucket)) {
    const rule = '3-63 lower-case letters, digits, - and .';
    throw usage(`the ${what} ${JSON.stringify(text)} names no bucket: after s3:// comes its name, ${rule}`);
  }
  if (!prefix.isWellFormed() || Buffer.byteLength(prefix) > 1024) {
    throw usage(`the prefix of the ${what} must be well-formed Unicode of at most 1024 bytes`);
  }
  return { bucket, prefix };
}

/** The way it is written. */
export function formatLocation({ bucket, prefix }: S3Location): string {
  return `s3://${bucket}/${prefix}`;
}

function usage(message: string): CliError {
  return new CliError('Usage', message, { next: 'ebbflow copy --help' });
}
