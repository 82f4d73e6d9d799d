/** The operator's heap: it works little and waits much, so memory counts for more than speed. */
import { setFlagsFromString } from 'node:v8';

/**
 * Keeps garbage from piling up between two runs. V8 else lets the old generation grow to several times what lives in it
 * before it collects. The size of the young generation is fixed at the start of the process and comes with NODE_OPTIONS
 * from the chart.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--optimize-for-size');
}
