import { allOrAbort } from '../s3/allof.ts';
import type { S3Client } from '../s3/client.ts';
import { S3Error } from '../s3/errors.ts';
import { NO_CAPABILITIES, probeCapabilities, type Capabilities } from '../s3/probe.ts';
import type { ProbePlace } from '../s3/probeplace.ts';
import { probeSameStore } from '../s3/samestore.ts';
import { findAbove } from './above.ts';
import type { DraftFile } from './draftfile.ts';
import { isInOneBucket, type CopyJob } from './job.ts';
import type { PlanInput } from './plan.ts';
import { nameKey, PlanRefused } from './problems.ts';
import { atStore, type Sides } from './sides.ts';
import { isCopiedInParts } from './transfer.ts';

/** What is known of the stores before the first copy. */
export interface Probed {
  readonly capabilities: Capabilities;
  /** Whether source and destination keys live in one key space. */
  readonly oneSpace: boolean;
}

/**
 * Tries out what the destination honours, and in mode Move whether both sides are one place. A dry run tries nothing.
 * @throws PlanRefused, Unavailable
 */
export async function probeEnds(
  { job, sides, owner }: Pick<PlanInput, 'job' | 'sides' | 'owner'>,
  drafts: DraftFile,
  signal: AbortSignal,
): Promise<Probed> {
  const inOneBucket = isInOneBucket(job);
  if (job.dryRun) return { capabilities: NO_CAPABILITIES, oneSpace: inOneBucket };
  return atStore(job, sides, 'destination', async () => {
    const place = { ...job.destination, owner };
    const uses = { parts: needsParts(job, drafts) };
    const isCertain = inOneBucket || job.mode === 'Copy';
    try {
      const [capabilities, oneSpace] = await allOrAbort(
        (stop) => [
          probeDestination(sides.destination, place, uses, stop),
          isCertain ? inOneBucket : isOneSpace({ job, sides }, place, stop),
        ],
        signal,
      );
      return { capabilities, oneSpace };
    } catch (error) {
      return await explainProbe(sides, place, error, signal);
    }
  });
}

/** Below an object, a store of paths takes no throw-away object either. */
async function explainProbe(
  { destination }: Sides,
  { bucket, prefix }: ProbePlace,
  error: unknown,
  signal: AbortSignal,
): Promise<never> {
  if (error instanceof S3Error && (error.status === 400 || error.status === 409)) {
    const [above] = await findAbove(destination, { bucket, prefix }, signal);
    if (above !== undefined) {
      throw new PlanRefused(
        `nothing can be written below ${nameKey(prefix)}: ${nameKey(above.key)} exists, and this store cannot hold one ` +
          'key inside the other; delete it, or correct copy.destination.prefix',
      );
    }
  }
  throw error;
}

/** Two names may be those of one bucket also within a store: an access point has a name like a bucket's. */
async function isOneSpace(
  { job, sides }: Pick<PlanInput, 'job' | 'sides'>,
  place: ProbePlace,
  signal: AbortSignal,
): Promise<boolean> {
  const from = { client: sides.source, bucket: job.source.bucket };
  try {
    return await probeSameStore(sides.destination, place, from, signal);
  } catch (error) {
    // Credentials that may see nothing of the source but its own prefix.
    const hidden = error instanceof S3Error && error.code === 'AccessDenied';
    if (hidden && job.source.store === job.destination.store) return false;
    throw error;
  }
}

/** Another pod of the stage may sweep our throw-away objects while we look at them; then we look again. */
async function probeDestination(
  client: S3Client,
  place: ProbePlace,
  uses: { readonly parts: boolean },
  signal: AbortSignal,
): Promise<Capabilities> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await probeCapabilities(client, place, uses, signal);
    } catch (error) {
      if (
        attempt === 3 ||
        !(error instanceof S3Error) ||
        error.status !== 404 ||
        error.code === 'NoSuchBucket'
      ) {
        throw error;
      }
    }
  }
}

/** Whether anything may be copied in parts. */
function needsParts(job: CopyJob, drafts: DraftFile): boolean {
  let largest = 0;
  drafts.eachSize((_, size) => {
    largest = Math.max(largest, size);
  });
  return isCopiedInParts({ job, transfer: job.transfer }, { size: largest });
}
