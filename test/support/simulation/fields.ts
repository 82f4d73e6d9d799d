/** Looking into raw JSON without believing anything about it. */
import { isRecord } from '../../../operator/kube/records.ts';

export type Fields = Record<string, unknown>;

export function fieldsOf(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

/** Whether the condition of that type is true in a status. */
export function isTrue(status: Fields, type: string): boolean {
  const conditions: unknown = status['conditions'];
  return (
    Array.isArray(conditions) &&
    conditions.some((item: unknown) => fieldsOf(item)['type'] === type && fieldsOf(item)['status'] === 'True')
  );
}
