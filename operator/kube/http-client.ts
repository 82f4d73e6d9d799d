import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import type { ClusterAccess } from './kubeconfig.ts';
import type { Logger } from './logger.ts';
import type { KubeMetrics } from './metrics.ts';

export interface HttpClientOptions {
  access: ClusterAccess;
  /** `name/version` of the program. */
  userAgent: string;
  logger?: Logger;
  metrics?: KubeMetrics;
  clock?: Clock;
  random?: () => number;
}

/** A KubeClient over undici. */
export function createKubeClient(_options: HttpClientOptions): KubeClient {
  throw new Error('not written yet');
}
