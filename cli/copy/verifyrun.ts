/** `ebbflow copy verify`: every row of a ledger against what is in the store now. */
import { EXIT } from '../../workers/contract/exitcodes.ts';
import type { PlanIndex } from '../../workers/contract/copyplan.ts';
import type { LedgerRow } from '../../workers/contract/ledger.ts';
import { verifyRow, type VerifyResult } from '../../workers/copy/verifyrow.ts';
import { readLedger } from '../../workers/copy/ledger.ts';
import type { Ends } from '../../workers/copy/parts.ts';
import { runBounded } from '../../workers/copy/pool.ts';
import { explainStoreError } from '../../workers/copy/problems.ts';
import { openForward } from '../portforward.ts';
import type { VerifyRequest } from './verifyarguments.ts';
import {
  type VerifyCounts,
  type VerifyReport,
  type Difference,
  judgeCounts,
  KEPT_DIFFERENCES,
} from './verifyreport.ts';
import { type RecordedCopy, mergeStores, openLocal, openRemote } from './recordedcopy.ts';
import { formatBar, formatProgressLine, type Progress } from './bar.ts';
import { judgeError } from './ending.ts';
import { formatLocation } from './location.ts';
import { PaceMeter } from '../../workers/copy/pace.ts';
import type { CopyHost } from './run.ts';
import { openLocalSides, resolveStores } from './stores.ts';
import { watch } from './watcher.ts';

/** Checks a copy to its end. @throws CliError where there is no ledger to be read. */
export async function runVerification(request: VerifyRequest, host: CopyHost): Promise<VerifyReport> {
  const { target } = request;
  if ('directory' in target) return verifyFrom(await openLocal(target.directory, host.stop), request, host);
  const { connection, uid, stage } = target;
  const forward =
    connection.server === undefined
      ? await openForward(connection, host.stop)
      : { url: connection.server, close: () => undefined };
  try {
    const source = await openRemote(forward.url, uid, stage, host.stop);
    return await verifyFrom(source, request, host);
  } finally {
    forward.close();
  }
}

interface Findings {
  readonly counts: VerifyCounts;
  readonly differences: Difference[];
}

async function verifyFrom(
  source: RecordedCopy,
  request: VerifyRequest,
  host: CopyHost,
): Promise<VerifyReport> {
  const start = performance.now();
  const { index } = source;
  const stores = resolveStores(mergeStores(request.stores, source.stores), host.env);
  const concurrency = request.concurrency ?? 32;
  const sides = await openLocalSides(stores, host.env, Math.max(64, concurrency + 8));
  const ends: Ends = {
    source: { client: sides.source, bucket: index.source.bucket },
    destination: { client: sides.destination, bucket: index.destination.bucket },
  };
  const planned = index.rows;
  const counts = { planned, checked: 0, same: 0, unproved: 0, different: 0, failed: 0, unrecorded: 0 };
  const findings: Findings = { counts, differences: [] };
  const watcher = showProgress(host, counts);
  let judged: Pick<VerifyReport, 'result' | 'exitCode' | 'message'>;
  try {
    for (const shard of index.shards)
      await verifyShard(source, shard, { ends, request, findings, concurrency }, host);
    judged = judgeCounts(counts);
  } catch (error) {
    const role = { field: 'destination', store: 'destination', bucket: index.destination.bucket };
    const { origin } = ends.destination.client.address(role.bucket);
    const explained = explainStoreError(error, { ...role, endpoint: origin });
    judged = host.stop.aborted
      ? { result: 'Interrupted', exitCode: EXIT.terminated, message: 'stopped before all were checked' }
      : judgeVerifyError(explained);
  } finally {
    watcher.stop();
    await Promise.all([sides.source.close(), sides.destination.close()]);
  }
  const seconds = Math.round(performance.now() - start) / 1000;
  const level = request.level.kind.toLowerCase();
  const destination = formatLocation(index.destination);
  return { version: 1, ...judged, destination, level, seconds, counts, differences: findings.differences };
}

interface Work {
  readonly ends: Ends;
  readonly request: VerifyRequest;
  readonly findings: Findings;
  readonly concurrency: number;
}

async function verifyShard(
  { results, stage, existing }: RecordedCopy,
  shard: PlanIndex['shards'][number],
  { ends, request, findings, concurrency }: Work,
  host: CopyHost,
): Promise<void> {
  const { counts } = findings;
  const { rows } = await readLedger(results, stage, shard.shard, existing, host.stop);
  counts.unrecorded += shard.rows - rows.size;
  const copied = [...rows.values()].filter(({ outcome }) => outcome !== 'Failed');
  counts.failed += rows.size - copied.length;
  const work = async (row: LedgerRow, signal: AbortSignal): Promise<void> =>
    note(findings, row, await verifyRow(ends, row, request.level, signal));
  await runBounded(copied, concurrency, work, host.stop);
}

function note({ counts, differences }: Findings, row: LedgerRow, result: VerifyResult): void {
  counts.checked += 1;
  switch (result.kind) {
    case 'Same':
      counts.same += 1;
      break;
    case 'Unproved':
      counts.unproved += 1;
      break;
    case 'Different':
      counts.different += 1;
      if (differences.length < KEPT_DIFFERENCES) differences.push({ key: row.destination, why: result.why });
      break;
    default:
      break;
  }
}

function judgeVerifyError(error: unknown): Pick<VerifyReport, 'result' | 'exitCode' | 'message'> {
  const { result, exitCode, message } = judgeError(error, { stopped: false, planned: false });
  const known = result === 'Refused' || result === 'Unavailable' ? result : 'Error';
  return { result: known, exitCode, message };
}

function showProgress({ screen }: CopyHost, counts: VerifyCounts): { readonly stop: () => void } {
  const meter = new PaceMeter();
  return watch(screen, (time, columns) => {
    const total = { objects: counts.planned - counts.failed - counts.unrecorded, bytes: 0 };
    const pace = meter.measure({ time, objects: counts.checked, bytes: 0 }, total);
    const unknown = { bytes: undefined, totalBytes: undefined, throttled: undefined };
    const objects = { objects: counts.checked, totalObjects: total.objects, failed: counts.different };
    const progress: Progress = { ...objects, ...unknown, pace };
    return columns === undefined ? formatProgressLine(progress) : formatBar(progress, columns);
  });
}
