/** What the shim says about the command: over the socket, line by line, and in the exit record. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { z } from 'zod';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** Bytes; a message of the shim has a name of a file in it at most. */
const longestRecord = 65_536;

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

/**
 * The exit record on disk; undefined while there is none, or when it is not one. The user's program can write there,
 * so that it may be a link to a file of ours, a pipe, or without end.
 */
export async function readExitRecord(path: string): Promise<ExitRecord | undefined> {
  try {
    await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const facts = await file.stat();
    if (!facts.isFile() || facts.size > longestRecord) return undefined;
    const text = Buffer.alloc(facts.size);
    await file.read(text, 0, facts.size, 0);
    return exitRecord.safeParse(parseJson(text.toString('utf8'))).data;
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
