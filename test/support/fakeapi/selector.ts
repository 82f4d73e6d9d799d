import type { KubeObject } from '../../../operator/kube/types.ts';
import type { Change } from './world.ts';

/** Whether the labels of an object are what a selector of equalities asks for. */
export type Selector = (object: KubeObject) => boolean;

export function readSelector(text: string | null): Selector {
  const wanted = (text ?? '').split(',').filter((part) => part !== '');
  const pairs = wanted.map((part) => part.split('='));
  return ({ metadata }) => pairs.every(([label = '', value]) => metadata.labels?.[label] === value);
}

/** What a watch with a selector says of a change: an object that no longer fits is deleted for it. */
export function selectChange(change: Change, selects: Selector): Change | undefined {
  const { type, object, previous } = change;
  const fits = selects(object);
  const did = previous !== undefined && selects(previous);
  if (type === 'DELETED') return did ? change : undefined;
  if (fits) return { ...change, type: did ? 'MODIFIED' : 'ADDED' };
  if (!did) return undefined;
  const { resourceVersion = '' } = object.metadata;
  return {
    ...change,
    type: 'DELETED',
    object: { ...previous, metadata: { ...previous.metadata, resourceVersion } },
  };
}
