import type { KubeClient } from '../../../operator/kube/client.ts';
import { KubeError } from '../../../operator/kube/errors.ts';
import { type Resource, resourcePath } from '../../../operator/kube/resource.ts';
import type { KubeObject } from '../../../operator/kube/types.ts';
import { World } from './world.ts';

/** Reads and writes without a network, for tests that own the clock. */
export class MemoryClient implements Pick<KubeClient, 'get' | 'create' | 'update'> {
  readonly world: World;
  /** Called before each call; what it throws, or waits for, is the call's fate. */
  before: (verb: 'get' | 'create' | 'update') => Promise<void> = () => Promise.resolve();
  /** Called after each write has happened; what it throws is the fate of the answer. */
  after: (verb: 'create' | 'update') => Promise<void> = () => Promise.resolve();

  constructor(world: World = new World()) {
    this.world = world;
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
  ): Promise<T> {
    await this.before('get');
    const found = this.world.get(resourcePath(resource, namespace, name));
    if (found === undefined) throw new KubeError({ status: 404, reason: 'NotFound' });
    return copy(resource, found);
  }

  async create<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    body: T,
  ): Promise<T> {
    await this.before('create');
    const path = resourcePath(resource, namespace, body.metadata.name);
    if (this.world.get(path) !== undefined) throw new KubeError({ status: 409, reason: 'AlreadyExists' });
    const stored = this.world.put(path, body);
    await this.after('create');
    return copy(resource, stored);
  }

  async update<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    body: T,
  ): Promise<T> {
    await this.before('update');
    const path = resourcePath(resource, namespace, name);
    const old = this.world.get(path);
    if (old === undefined) throw new KubeError({ status: 404, reason: 'NotFound' });
    if (old.metadata.resourceVersion !== body.metadata.resourceVersion) {
      throw new KubeError({ status: 409, reason: 'Conflict' });
    }
    const stored = this.world.put(path, body);
    await this.after('update');
    return copy(resource, stored);
  }
}

function copy<T extends KubeObject>(_resource: Resource<T>, object: KubeObject): T {
  // As with the real client, the resource says what its objects are.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return structuredClone(object) as T;
}
