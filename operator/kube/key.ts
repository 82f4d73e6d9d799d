import type { DeepReadonly, KubeObject } from './types.ts';

/** `namespace/name`, or only the name of a cluster-scoped object: what queues and stores are keyed by. */
export type Key = string;

/** The key of an object. An object without a name (not yet created) has none: throws TypeError. */
export function keyOf(object: DeepReadonly<KubeObject>): Key {
  const { name, namespace } = object.metadata;
  if (name === undefined) throw new TypeError('an object without metadata.name has no key');
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The two halves of a key. */
export function splitKey(key: Key): { namespace: string | undefined; name: string } {
  const slash = key.indexOf('/');
  return slash === -1
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
