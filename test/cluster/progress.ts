/** `75 s` below two minutes, `3 min 20 s` above. */
export function describeSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole} s`;
  const rest = whole % 60;
  return `${Math.floor(whole / 60)} min${rest === 0 ? '' : ` ${rest} s`}`;
}

/**
 * Tells what is being done and how long it usually takes, again every 20 s, until the work is done.
 * @param what short: it is repeated
 * @param details said once
 */
export async function reportWhile<T>(
  progress: (line: string) => void,
  what: string,
  usualSeconds: number,
  work: Promise<T>,
  details?: string,
): Promise<T> {
  const start = performance.now();
  const elapsed = () => describeSeconds((performance.now() - start) / 1000);
  const usual = `usually ${describeSeconds(usualSeconds)} on 2 cores`;
  progress(`${what}${details === undefined ? '' : `: ${details}`} (${usual})`);
  const timer = setInterval(() => progress(`  ${what}: ${elapsed()} so far (${usual})`), 20_000);
  try {
    const result = await work;
    progress(`  ${what}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
