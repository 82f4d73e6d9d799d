/** Keys of objects: what queues and stores know them by. Pure. */
import type { DeepReadonly, KubeObject } from './types.ts';

/** `namespace/name`, or only the name of a cluster-scoped object: what queues and stores are keyed by. */
export type Key = string;

/** The key of an object. An object without a name (not yet created) has none: throws TypeError. */
export function keyOf(object: DeepReadonly<KubeObject>): Key {
  const { name, namespace } = object.metadata;
  if (name === undefined) throw new TypeError('an object without metadata.name has no key');
  return namespace === undefined ? name : `${namespace}/${name}`;
}
