/** Whose fault an error is, and what its sentence says to do. */
import { expect, test } from 'vitest';
import { WorkerApiError } from '../../workers/api/errors.ts';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { S3Error } from '../../workers/s3/errors.ts';
import { failureOf, type Failure } from '../../workers/train/failure.ts';

const otherwise = { exitCode: EXIT.outputFailed, reason: 'OutputFailed' } as const;
const target = { operation: 'PutObject', bucket: 'models', key: 'a' };
const ofStore = (code: string, status: number): S3Error => new S3Error(target, { code, status, detail: '' });
const ofApi = (code: 'Refused' | 'StoreRefused', status: number): WorkerApiError =>
  new WorkerApiError('PUT x', { code, status, detail: 'no' });

test.each<[string, Error, Partial<Failure>, string]>([
  [
    'keys that the store does not know',
    ofStore('XAdminUserNotFound', 404),
    { reason: 'StoreUnavailable' },
    'Secret',
  ],
  ['a refused request', ofStore('AccessDenied', 403), { reason: 'StoreUnavailable' }, 'rights on the bucket'],
  ['a missing bucket', ofStore('NoSuchBucket', 404), { reason: 'OutputFailed' }, 'create it'],
  ['a store that is away', ofStore('SlowDown', 503), { exitCode: EXIT.unavailable }, 'SlowDown'],
  [
    'the operator',
    ofApi('Refused', 403),
    { exitCode: EXIT.notAdmitted, reason: 'Error' },
    'operator refused',
  ],
  [
    'the results store',
    ofApi('StoreRefused', 404),
    { exitCode: EXIT.unavailable },
    'look at the results bucket',
  ],
])('%s', (_what, error, failure, words) => {
  const found = failureOf(error, otherwise);
  expect(found).toMatchObject(failure);
  expect(found.message).toContain(words);
});
