/** `75 s` below two minutes, `3 min` above. */
export function describeSeconds(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

/** Tells what is being done and how long it usually takes, again every 20 s, until the work is done. */
export async function reportWhile<T>(
  progress: (line: string) => void,
  what: string,
  usualSeconds: number,
  work: Promise<T>,
): Promise<T> {
  const start = performance.now();
  const elapsed = () => describeSeconds((performance.now() - start) / 1000);
  progress(`${what} (usually ${describeSeconds(usualSeconds)} on 2 cores)`);
  const timer = setInterval(() => progress(`  ${what}: ${elapsed()} so far`), 20_000);
  try {
    const result = await work;
    progress(`  ${what}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
