/** Who may store a record at once: the runs of one namespace never take all places, and a deletion takes none of them. */
import { expect, test } from 'vitest';
import { CommitPlaces } from '../../operator/pipelinerun/commitplaces.ts';
import { settle } from '../support/fakeapi/manual-clock.ts';

test('a namespace leaves places to the others, and to deletions', async () => {
  const places = new CommitPlaces({ all: 3, namespace: 2, deleting: 1 });
  const signal = new AbortController().signal;
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const running = (
    [
      ['a1', 'a', false],
      ['a2', 'a', false],
      ['a3', 'a', false],
      ['b1', 'b', false],
      ['b2', 'b', false],
      ['a4', 'a', true],
      ['a5', 'a', true],
    ] as const
  ).map(([name, namespace, deleting]) =>
    places.run(
      { namespace, deleting },
      () => {
        begun.push(name);
        return new Promise<void>((resolve) => ends.set(name, resolve));
      },
      signal,
    ),
  );
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await settle();
  };
  await settle();
  expect(begun).toEqual(['a4', 'a1', 'a2', 'b1']);
  await end('a1');
  expect(begun.slice(4), 'who came first to the places of all').toEqual(['b2']);
  await end('a4');
  await end('b2');
  expect(begun.slice(5)).toEqual(['a5', 'a3']);
  for (const name of ['a2', 'a3', 'a5', 'b1']) await end(name);
  await Promise.all(running);
});

test('who gives up waiting leaves its place to the next', async () => {
  const places = new CommitPlaces({ all: 1, namespace: 1, deleting: 1 });
  const what = { namespace: 'a', deleting: false };
  const first = Promise.withResolvers<void>();
  const never = new AbortController().signal;
  const holding = places.run(what, () => first.promise, never);
  const stop = new AbortController();
  const waiting = places.run(what, () => Promise.resolve('began'), stop.signal);
  const next = places.run(what, () => Promise.resolve('began'), never);
  stop.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  first.resolve();
  await holding;
  expect(await next).toBe('began');
});
