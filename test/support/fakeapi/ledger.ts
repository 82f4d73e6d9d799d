import type { StoreHandler } from '../../../operator/kube/store.ts';
import type { DeepReadonly, KubeObject } from '../../../operator/kube/types.ts';

/** What a handler was told, in order. */
export interface Told {
  change: 'added' | 'modified' | 'deleted';
  name: string;
  uid: string;
  resourceVersion: string;
}

/** Writes down all that a store tells. */
export class Ledger implements StoreHandler<KubeObject> {
  readonly told: Told[] = [];

  added(object: DeepReadonly<KubeObject>): void {
    this.#write('added', object);
  }

  modified(object: DeepReadonly<KubeObject>): void {
    this.#write('modified', object);
  }

  deleted(object: DeepReadonly<KubeObject>): void {
    this.#write('deleted', object);
  }

  #write(change: Told['change'], object: DeepReadonly<KubeObject>): void {
    this.told.push({
      change,
      name: object.metadata.name ?? '',
      uid: object.metadata.uid ?? '',
      resourceVersion: object.metadata.resourceVersion ?? '',
    });
  }
}
