/** Who answers for an object. */
import type { DeepReadonly, KubeObject, OwnerReference } from './types.ts';

/** The one owner that has made the object and keeps it as it should be; undefined where nobody does. */
export function controllerOf({
  metadata,
}: DeepReadonly<Pick<KubeObject, 'metadata'>>): DeepReadonly<OwnerReference> | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}
