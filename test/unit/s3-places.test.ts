import { expect, test } from 'vitest';
import { Places } from '../../workers/s3/places.ts';

const never = new AbortController().signal;

test('never more are in than there are places; who waited longest is next, and who left the queue is passed over', async () => {
  const places = new Places(2);
  const order: string[] = [];
  const come = async (name: string, signal = never): Promise<void> => {
    const place = places.enter(signal);
    if (place !== undefined) await place;
    order.push(name);
  };
  const abort = new AbortController();
  await Promise.all([come('a'), come('b')]);
  const gone = come('gone', abort.signal);
  const [third, fourth] = [come('c'), come('d')];
  abort.abort(new Error('told to stop'));
  await expect(gone).rejects.toThrow('told to stop');
  expect(order).toEqual(['a', 'b']);
  places.leave();
  await third;
  expect(order).toEqual(['a', 'b', 'c']);
  places.leave();
  await fourth;
  places.leave();
  expect(places.enter(never)).toBeUndefined();
});

test('who is told to stop already does not wait', async () => {
  const places = new Places(0);
  await expect(places.enter(AbortSignal.abort(new Error('told to stop')))).rejects.toThrow('told to stop');
});
