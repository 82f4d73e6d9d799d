import { describe, expect, test } from 'vitest';
import { classify, errorFromResponse, S3Error } from '../../workers/s3/errors.ts';
import { retryDelay, withRetry } from '../../workers/s3/retry.ts';

const target = { operation: 'GetObject', bucket: 'b', key: 'k"\n\u202e' };
const never = new AbortController().signal;
const quick = { attempts: 4, baseDelay: 1, maxDelay: 2 };

describe('who may try again', () => {
  test.each([
    ['SlowDown', 503, 'throttle'],
    ['SlowDown', 200, 'throttle'],
    ['Anything', 429, 'throttle'],
    ['InternalError', 500, 'transient'],
    ['InternalError', 200, 'transient'],
    ['NeverHeardOf', 200, 'transient'],
    ['NeverHeardOf', 502, 'transient'],
    ['RequestTimeout', 400, 'transient'],
    ['ConnectionFailed', 0, 'transient'],
    ['ConditionalRequestConflict', 409, 'transient'],
    ['NotImplemented', 501, 'permanent'],
    ['PreconditionFailed', 412, 'permanent'],
    ['PreconditionFailed', 200, 'permanent'],
    ['NoSuchKey', 404, 'permanent'],
    ['NeverHeardOf', 400, 'permanent'],
    ['NoSuchBucket', 404, 'fatal'],
    ['AccessDenied', 403, 'fatal'],
    ['SignatureDoesNotMatch', 403, 'fatal'],
    ['Redirect', 301, 'fatal'],
  ] as const)('%s with status %i is %s', (code, status, expected) => {
    expect(classify(code, status)).toBe(expected);
  });

  test('the code comes from the body, else from the status; a redirect is one whatever it says', () => {
    const body = '<Error><Code>NoSuchKey</Code><Message>not &amp; here</Message></Error>';
    expect(errorFromResponse(target, 404, {}, body)).toMatchObject({ code: 'NoSuchKey', status: 404 });
    expect(errorFromResponse(target, 404, {}, '').code).toBe('NotFound');
    expect(errorFromResponse(target, 418, {}, 'tea').code).toBe('Http418');
    expect(errorFromResponse(target, 301, {}, '<Error><Code>PermanentRedirect</Code></Error>').code).toBe(
      'Redirect',
    );
  });

  test('the message names the key escaped, and nothing that could be a secret', () => {
    const body =
      '<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><StringToSign>AWS4 x</StringToSign></Error>';
    const error = errorFromResponse(target, 403, { authorization: 'AWS4 y' }, body);
    expect(error.message).toBe('GetObject b "k\\"\\n\\u202e": SignatureDoesNotMatch (403): no');
    expect(JSON.stringify(error)).not.toContain('AWS4');
  });
});

describe('retries', () => {
  const failing = (code: string, status: number) => {
    let calls = 0;
    const work = (): Promise<never> => {
      calls += 1;
      return Promise.reject(new S3Error(target, { code, status, detail: '' }));
    };
    return { work, calls: () => calls };
  };

  test.each([
    ['SlowDown', 503, 4],
    ['InternalError', 500, 4],
    ['NoSuchKey', 404, 1],
    ['AccessDenied', 403, 1],
  ])('%s is tried %#: until the attempts are used up, or once', async (code, status, times) => {
    const { work, calls } = failing(code, status);
    await expect(withRetry(quick, work, never)).rejects.toMatchObject({ code });
    expect(calls()).toBe(times);
  });

  test.each([
    ['no answer', { code: 'ConnectionFailed', status: 0 }, true],
    ['a fault of the store', { code: 'InternalError', status: 500 }, true],
    ['an error in a 200', { code: 'InternalError', status: 200 }, true],
    ['a refusal', { code: 'TooManyRequests', status: 429 }, false],
  ])(
    'a final refusal says whether an attempt before it may have been done: %s',
    async (_name, first, unknown) => {
      const answers = [first, { code: 'PreconditionFailed', status: 412 }];
      const work = (): Promise<never> =>
        Promise.reject(new S3Error(target, { ...(answers.shift() ?? first), detail: '' }));
      await expect(withRetry(quick, work, never)).rejects.toMatchObject({
        status: 412,
        afterUnknown: unknown,
      });
    },
  );

  test('a first attempt comes after none', async () => {
    const { work } = failing('InternalError', 500);
    await expect(withRetry({ ...quick, attempts: 1 }, work, never)).rejects.toMatchObject({
      afterUnknown: false,
    });
  });

  test('an error of the program is not tried again', async () => {
    let calls = 0;
    const work = (): Promise<never> => {
      calls += 1;
      return Promise.reject(new TypeError('a fault of ours'));
    };
    await expect(withRetry(quick, work, never)).rejects.toThrow('a fault of ours');
    expect(calls).toBe(1);
  });

  test('abort ends the waiting', async () => {
    const abort = new AbortController();
    const { work } = failing('SlowDown', 503);
    const waiting = withRetry({ attempts: 9, baseDelay: 1e9, maxDelay: 1e9 }, work, abort.signal);
    setTimeout(() => abort.abort(new Error('enough')), 10);
    await expect(waiting).rejects.toThrow('enough');
  });

  test('waits grow, have jitter, a ceiling, and the store’s own word as floor', () => {
    const policy = { attempts: 9, baseDelay: 100, maxDelay: 1_000 };
    expect([2, 3, 4, 5, 6].map((attempt) => retryDelay(policy, attempt, undefined, () => 1))).toEqual([
      200, 400, 800, 1_000, 1_000,
    ]);
    expect(retryDelay(policy, 2, undefined, () => 0)).toBe(0);
    expect(retryDelay(policy, 2, 5_000, () => 1)).toBe(5_000);
  });
});
