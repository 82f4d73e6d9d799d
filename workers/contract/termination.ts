/**
 * The termination message of our containers: how a worker tells the operator, through the pod's status alone, why it
 * failed. The kubelet cuts it at 4,096 bytes.
 */
import { z } from 'zod';

const termination = z.object({
  /** A StageReason of the API. */
  reason: z.string().max(64),
  /** What, where, and what to do. */
  message: z.string().max(1024),
});

export type Termination = z.infer<typeof termination>;

export function formatTermination(value: Termination): string {
  return JSON.stringify({ reason: value.reason, message: value.message.slice(0, 1024) });
}

/** The message as written by {@link formatTermination}; undefined for anything else, such as the last lines of a log. */
export function parseTermination(text: string | undefined): Termination | undefined {
  if (text === undefined || !text.startsWith('{')) return undefined;
  try {
    return termination.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
