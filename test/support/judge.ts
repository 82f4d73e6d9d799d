import { inject } from 'vitest';
import { startRadosgw } from './radosgw.ts';
import type { S3Server } from './s3server.ts';
import { startGateway } from './versitygw.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The server that a project's tests are run against. */
    readonly judge: keyof typeof judges;
  }
}

/** The real servers that judge the copy engine. They differ in what they take for one key and in what they honour. */
export const judges = { versitygw: startGateway, radosgw: startRadosgw } as const;

/** Starts the server that the project of this test names. */
export function startJudge(): Promise<S3Server> {
  return judges[inject('judge')]();
}
