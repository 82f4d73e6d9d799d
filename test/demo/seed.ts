import { readFile } from 'node:fs/promises';
import type { S3Access } from '../cluster/types.ts';
import { S3Client } from '../../workers/s3/client.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { listObjects } from '../../workers/s3/listpage.ts';
import { getObject, putObject } from '../../workers/s3/objects.ts';
import { DIGITS_MEMBER, type InputImage, readDigits, readZipMember } from './digits.ts';
import { provideWheels, wheelIn } from './wheels.ts';

/** The package that carries the images; nothing of it is installed or run. */
const scikitLearn = 'scikit-learn==1.9.1';

const uploadsAtOnce = 16;

/** The images of the demo, out of the package's wheel. */
export async function provideDigits(progress: (line: string) => void): Promise<InputImage[]> {
  const folder = await provideWheels(
    'scikit-learn, for its 1,797 digit images (9 MB)',
    [scikitLearn],
    5,
    progress,
  );
  const wheel = await readFile(await wheelIn(folder, 'scikit_learn'));
  return readDigits(readZipMember(wheel, DIGITS_MEMBER));
}

/** A client for the cluster's own store. */
export function connectStore(s3: S3Access): S3Client {
  return new S3Client({
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: fixedCredentials({ accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey }),
  });
}

export async function createBuckets(
  store: S3Client,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const bucket of names)
    await store.request({ operation: 'CreateBucket', method: 'PUT', bucket }, () => undefined, signal);
}

/** Puts the images into the bucket. */
export async function seedImages(
  store: S3Client,
  bucket: string,
  images: readonly InputImage[],
  signal: AbortSignal,
): Promise<void> {
  const queue = images.values();
  const work = async (): Promise<void> => {
    for (const { key, body } of queue)
      await putObject(store, { bucket, key, body, headers: { 'content-type': 'image/png' } }, signal);
  };
  await Promise.all(Array.from({ length: uploadsAtOnce }, work));
}

/** Every key below a prefix, as the store lists them. */
export async function listKeys(
  store: S3Client,
  bucket: string,
  prefix: string,
  signal: AbortSignal,
): Promise<string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const page = await listObjects(store, { bucket, prefix, token }, signal);
    keys.push(...page.objects.map(({ key }) => key));
    token = page.nextToken;
  } while (token !== undefined);
  return keys;
}

/** A small JSON document of a bucket; undefined where there is none. */
export async function readJson(
  store: S3Client,
  bucket: string,
  key: string,
  signal: AbortSignal,
): Promise<unknown> {
  const bytes = await getObject(store, { bucket, key }, signal);
  return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
}
