/** An index of a store: objects by a value that is computed from them. */
import { keyOf, type Key } from './key.ts';
import type { DeepReadonly, KubeObject } from './types.ts';

/** The values an object is found under in one index. */
export type IndexFunction<T extends KubeObject> = (object: DeepReadonly<T>) => readonly string[];

/** Objects by values computed from them. */
export class StoreIndex<T extends KubeObject> {
  readonly #valuesOf: IndexFunction<T>;
  readonly #byValue = new Map<string, Map<Key, DeepReadonly<T>>>();

  constructor(valuesOf: IndexFunction<T>) {
    this.#valuesOf = valuesOf;
  }

  find(value: string): DeepReadonly<T>[] {
    return [...(this.#byValue.get(value)?.values() ?? [])];
  }

  set(object: DeepReadonly<T>, previous: DeepReadonly<T> | undefined): void {
    if (previous !== undefined) this.delete(previous);
    for (const value of this.#valuesOf(object)) {
      const objects = this.#byValue.get(value);
      if (objects === undefined) this.#byValue.set(value, new Map([[keyOf(object), object]]));
      else objects.set(keyOf(object), object);
    }
  }

  delete(object: DeepReadonly<T>): void {
    for (const value of this.#valuesOf(object)) {
      const objects = this.#byValue.get(value);
      objects?.delete(keyOf(object));
      if (objects?.size === 0) this.#byValue.delete(value);
    }
  }
}
