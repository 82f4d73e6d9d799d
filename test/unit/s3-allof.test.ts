import { expect, test } from 'vitest';
import { allOf, allOrAbort } from '../../workers/s3/allof.ts';

const never = new AbortController().signal;

test('all results come in the order of what was asked', async () => {
  expect(await allOf([Promise.resolve(1), 'two', Promise.resolve(true)])).toEqual([1, 'two', true]);
});

test('an error is thrown when nothing is under way any more, and the first of the list', async () => {
  const last = Promise.withResolvers<void>();
  let thrown: unknown;
  const all = allOf([last.promise, Promise.reject(new Error('early'))]).catch((error: unknown) => {
    thrown = error;
  });
  await new Promise(setImmediate);
  expect(thrown).toBeUndefined();
  last.reject(new Error('late, but before it in the list'));
  await all;
  expect(thrown).toEqual(new Error('late, but before it in the list'));
});

test('the first failure in time breaks the others off, is waited for, and thrown', async () => {
  const cleaned = Promise.withResolvers<void>();
  let thrown: unknown;
  const hang = async (signal: AbortSignal): Promise<never> => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    await cleaned.promise;
    throw new Error('broken off');
  };
  const all = allOrAbort((signal) => [hang(signal), Promise.reject(new Error('refused'))], never).catch(
    (error: unknown) => {
      thrown = error;
    },
  );
  await new Promise(setImmediate);
  expect(thrown).toBeUndefined();
  cleaned.resolve();
  await all;
  expect(thrown).toEqual(new Error('refused'));
  expect(await allOrAbort(() => [Promise.resolve(1), 'two'], never)).toEqual([1, 'two']);
});

test('who is told to stop meanwhile throws the reason for that', async () => {
  const told = new AbortController();
  const all = allOrAbort(
    (signal) => [new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))],
    told.signal,
  );
  told.abort(new Error('told to stop'));
  await expect(all).rejects.toThrow('told to stop');
});
