import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCopyCommand } from '../../cli/copy/arguments.ts';
import { parseVerifyCommand } from '../../cli/copy/verifyarguments.ts';
import type { VerifyReport } from '../../cli/copy/verifyreport.ts';
import { runVerification } from '../../cli/copy/verifyrun.ts';
import type { CopyReport } from '../../cli/copy/report.ts';
import { type CopyHost, runCopy } from '../../cli/copy/run.ts';
import { Screen } from '../../cli/copy/screen.ts';
import type { S3Client } from '../../workers/s3/client.ts';
import { clientOf, patientSignal } from './copybed.ts';
import { startDoubleServer } from './s3double/bed.ts';
import type { S3Double } from './s3double/server.ts';
import type { DoubleSetup } from './s3double/setup.ts';

/** `ebbflow copy` in this process, on a double with buckets `raw` and `lake`, with a home of its own for its state. */
export class LocalCopies {
  readonly double: S3Double;
  readonly client: S3Client;
  readonly home: string;
  /** What was said beside the results. */
  said = '';

  private constructor(double: S3Double, client: S3Client, home: string) {
    this.double = double;
    this.client = client;
    this.home = home;
  }

  static async start(setup: DoubleSetup = {}): Promise<LocalCopies> {
    const { double, server } = await startDoubleServer({ buckets: ['raw', 'lake'], ...setup });
    return new LocalCopies(double, clientOf(server), await mkdtemp(join(tmpdir(), 'ebbflow-home-')));
  }

  /** What `ebbflow copy` with these arguments comes to. */
  async copy(...args: string[]): Promise<CopyReport> {
    const command = parseCopyCommand(args);
    if (command.name !== 'copy') throw new Error('not a copy');
    return runCopy(command, this.#host());
  }

  /** What `ebbflow copy verify` with these arguments comes to. */
  async verify(...args: string[]): Promise<VerifyReport> {
    const command = parseVerifyCommand(args);
    if (command.name !== 'verify') throw new Error('not a verification');
    return runVerification(command, this.#host());
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.double.stop();
    await rm(this.home, { recursive: true, force: true });
  }

  #host(): CopyHost {
    const write = (text: string): void => {
      this.said += text;
    };
    const env = {
      XDG_STATE_HOME: this.home,
      AWS_ACCESS_KEY_ID: 'A',
      AWS_SECRET_ACCESS_KEY: 's',
      AWS_ENDPOINT_URL: this.double.endpoint,
    };
    return { env, screen: new Screen({ write }, true), stop: patientSignal };
  }
}
