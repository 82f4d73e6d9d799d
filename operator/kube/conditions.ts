/** The conditions of a status, and times in the forms that the API server takes. Pure. */
import type { Condition, DeepReadonly } from './types.ts';

type Conditions = readonly DeepReadonly<Condition>[] | undefined;

export function findCondition(conditions: Conditions, type: string): DeepReadonly<Condition> | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isConditionTrue(conditions: Conditions, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/**
 * The list with one condition set; the input is not changed. `lastTransitionTime` is carried over from the old
 * condition while its status stays the same, else it is `now` in whole seconds. Order is kept, a new type goes last.
 */
export function setCondition(
  conditions: Conditions,
  next: Omit<Condition, 'lastTransitionTime'>,
  now: Date,
): Condition[] {
  const list = (conditions ?? []).map((condition) => ({ ...condition }));
  const index = list.findIndex((condition) => condition.type === next.type);
  const old = list[index];
  const lastTransitionTime =
    old !== undefined && old.status === next.status ? old.lastTransitionTime : formatTime(now);
  const condition = { ...next, lastTransitionTime };
  if (old === undefined) list.push(condition);
  else list[index] = condition;
  return list;
}

/** metav1.Time: RFC 3339 in UTC, whole seconds. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** metav1.MicroTime: RFC 3339 in UTC with six fraction digits, which the server insists on. */
export function formatMicroTime(time: Date): string {
  return `${time.toISOString().slice(0, 23)}000Z`;
}
