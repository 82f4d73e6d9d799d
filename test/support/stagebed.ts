import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { resolveJob } from '../../workers/copy/job.ts';
import { LocalStore } from '../../workers/copy/localstore.ts';
import { PlanProblems } from '../../workers/copy/problems.ts';
import type { ResultsStore } from '../../workers/copy/results.ts';
import { runStage, type StageEnd } from '../../workers/copy/stage.ts';
import type { Tally } from '../../workers/copy/tally.ts';
import { headObject } from '../../workers/s3/objects.ts';
import { PlanBed } from './planbed.ts';
import type { DoubleSetup } from './s3double/setup.ts';

const signal = AbortSignal.timeout(600_000);

/** Copy stages of one run, each in this process, with plan and ledger in a directory. */
export class StageBed {
  readonly stores: PlanBed;
  readonly results: LocalStore;
  /** Where `results` are. */
  readonly folder: string;
  readonly #scratch: string;

  private constructor(stores: PlanBed, scratch: string) {
    this.stores = stores;
    this.#scratch = scratch;
    this.folder = join(scratch, 'results');
    this.results = new LocalStore(this.folder);
  }

  static async start(setup: DoubleSetup): Promise<StageBed> {
    const stores = await PlanBed.start(setup);
    return new StageBed(stores, await mkdtemp(join(tmpdir(), 'ebbflow-stage-')));
  }

  /** Runs a pod of a stage to its end. */
  async run(
    stage: string,
    copy: CopyStage,
    options: {
      readonly results?: ResultsStore;
      readonly abort?: AbortSignal;
      readonly onTally?: (tally: Tally) => void;
    } = {},
  ): Promise<StageEnd> {
    const problems = new PlanProblems();
    return runStage(
      {
        job: resolveJob(copy, problems),
        problems,
        sides: { source: this.stores.client, destination: this.stores.client },
        results: options.results ?? this.results,
        worker: { stage, index: 0, podUID: randomUUID() },
        crew: { most: 1, share: 1 },
        scratch: { directory: this.#scratch, limit: 1024 ** 3 },
        owner: `01234567-0123-4123-8123-0123456789ab-${stage}`,
        log: { info: () => undefined, warn: () => undefined },
        onTally: (tally) => options.onTally?.(tally),
        segmentInterval: 20,
      },
      { stop: signal, abort: options.abort ?? signal, last: signal },
    );
  }

  async has(bucket: string, key: string): Promise<boolean> {
    return (await headObject(this.stores.client, { bucket, key }, signal)) !== undefined;
  }

  async stop(): Promise<void> {
    await this.stores.stop();
    await rm(this.#scratch, { recursive: true });
  }
}
