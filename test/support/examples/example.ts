/** The form of the table of examples, and the pieces that its entries are made of. */

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Spec = Record<string, Json>;

export interface ValidExample {
  title: string;
  spec: Spec;
  /** Name of the object. Default: example. */
  name?: string;
}

export interface InvalidExample extends ValidExample {
  /** Where validateSpec sees the problem. */
  path: string;
  /** Part of the message, in code and on the API server alike... */
  says: string;
  /** ...unless the API server uses its own words, which name the path as well. */
  serverSays?: string;
  /** The API server cannot see it: it accepts the object. */
  onlyInCode?: true;
}

/** A change of an existing object. */
export interface UpdateExample {
  title: string;
  before: Spec;
  after: Spec;
  /** Part of the API server's message; left out: the change is allowed. */
  refused?: string;
}

export const lake: Spec = { name: 'lake', endpoint: 'http://s3.example.com:7070', addressing: 'Path' };
export const attic: Spec = { name: 'attic', region: 'eu-central-1', secretRef: { name: 's3' } };

export const source: Spec = { bucket: 'raw', prefix: '2026/' };
export const destination: Spec = { bucket: 'lake', prefix: 'digits/' };
export const copy: Spec = { source, destination };
export const command: Spec = { image: 'trainer:1', command: ['python3', 'train.py'] };

export const arrange: Spec = { name: 'arrange', copy };
export const train: Spec = { name: 'train', dependsOn: ['arrange'], train: command };

/** A run with one store and these stages. */
export function run(...stages: Spec[]): Spec {
  return { stores: [lake], stages };
}

/** A run with one copy stage in which these members are set. */
export function copyWith(members: Spec): Spec {
  return run({ name: 'arrange', copy: { ...copy, ...members } });
}

/** A copy stage and a train stage after it in which these members are set. */
export function trainWith(members: Spec): Spec {
  return run(arrange, { ...train, train: { ...command, ...members } });
}

/** A run with one container stage whose own members are set. */
export function stageWith(members: Spec): Spec {
  return run({ name: 'work', container: command, ...members });
}

export function repeat<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
