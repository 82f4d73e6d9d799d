/** Which conditions of a pod or a Job are true. Unlike ours they may lack a reason. Pure. */
interface Conditioned {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

export function trueCondition(
  object: Conditioned,
  type: string,
): { reason: string; message: string } | undefined {
  const condition = object.status?.conditions?.find(
    (candidate) => candidate.type === type && candidate.status === 'True',
  );
  return condition && { reason: condition.reason ?? '', message: condition.message ?? '' };
}

export function isConditionTrue(object: Conditioned, type: string): boolean {
  return trueCondition(object, type) !== undefined;
}
