/** What the shim says about the command: over the socket, line by line, and in the exit record. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const exitRecord = z.object({
  version: z.literal(1),
  started: z.boolean(),
  /** Null after a signal. */
  code: z.int().nullable(),
  signal: z.string().max(32).optional(),
  /** The command was asked to end while it ran: even a code of 0 is then no end of its own. */
  terminated: z.boolean().optional(),
  /** Processes that the kernel killed for lack of memory; left out where the shim cannot tell. */
  oomKills: z.int().min(0).optional(),
  /** Why the command did not start. */
  message: z.string().max(4096).optional(),
  startTime: z.iso.datetime(),
  endTime: z.iso.datetime(),
});

export type ExitRecord = z.infer<typeof exitRecord>;

const shimMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), version: z.int() }),
  z.object({ type: z.literal('start'), pid: z.int(), time: z.iso.datetime() }),
  z.object({ type: z.literal('exit'), exit: exitRecord }),
]);

export type ShimMessage = z.infer<typeof shimMessage>;

/** A line of the socket; undefined for anything else: the user's program can write there too. */
export function parseShimMessage(line: string): ShimMessage | undefined {
  return shimMessage.safeParse(parseJson(line)).data;
}

/** The exit record on disk; undefined while there is none, or when it is not one. */
export async function readExitRecord(path: string): Promise<ExitRecord | undefined> {
  try {
    return exitRecord.safeParse(parseJson(await readFile(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
