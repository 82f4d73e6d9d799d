/**
 * The results of what goes on at the same time. Unlike Promise.all it throws only when nothing is under way any more, so
 * that what cleans up afterwards comes after all of it. Of several errors the first of the list is thrown.
 */
export async function allOf<T extends readonly unknown[] | []>(
  tasks: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(tasks);
  return Promise.all(tasks);
}
