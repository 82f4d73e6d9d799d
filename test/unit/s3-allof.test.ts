import { expect, test } from 'vitest';
import { allOf } from '../../workers/s3/allof.ts';

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
