/** What came of one step of `npm test`. A test that did not run is not a test that passed. */
export interface Tally {
  readonly passed: number;
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly name: string;
  /** One line. */
  readonly why: string;
}

export function passOnce(): Tally {
  return { passed: 1, failures: [] };
}

export function failOnce(name: string, why: string): Tally {
  return { passed: 0, failures: [{ name, why: firstLine(why) }] };
}

export function addTallies(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
    failures: tallies.flatMap(({ failures }) => failures),
  };
}

/** The last line of `npm test`: nothing else stands on it. */
export function lastLine({ passed, failures }: Tally): string {
  return `${passed} passed, ${failures.length} failed`;
}

/** 0 only when something ran and all of it passed. */
export function exitCode({ passed, failures }: Tally): number {
  return passed > 0 && failures.length === 0 ? 0 : 1;
}

interface VitestFile {
  readonly name?: string;
  readonly status?: string;
  readonly message?: string;
  readonly assertionResults?: readonly {
    readonly fullName?: string;
    readonly status?: string;
    readonly failureMessages?: readonly string[];
  }[];
}

export interface VitestOutcome {
  /** Text of the JSON report; undefined when vitest wrote none. */
  readonly report: string | undefined;
  /** Exit code of vitest. */
  readonly code: number;
  /** Cut off the names of files. */
  readonly root: string;
}

/**
 * Counts vitest's JSON report. Skipped and unfinished tests, files that could not be loaded, and errors outside of
 * any test (which only the exit code tells) are failures.
 */
export function tallyVitest({ report, code, root }: VitestOutcome): Tally {
  const files = readFiles(report);
  if (files === undefined) return failOnce('vitest', `ended with code ${code} and left no report`);
  let passed = 0;
  const failures: Failure[] = [];
  for (const file of files) {
    const name = (file.name ?? '?').replace(`${root}/`, '');
    const before = failures.length;
    for (const test of file.assertionResults ?? []) {
      if (test.status === 'passed') passed += 1;
      else
        failures.push({
          name: `${name} > ${test.fullName ?? '?'}`,
          why: whyNot(test.status, test.failureMessages),
        });
    }
    if (file.status === 'failed' && failures.length === before)
      failures.push({ name, why: firstLine(file.message || 'failed outside of its tests') });
  }
  if (code !== 0 && failures.length === 0)
    failures.push({
      name: 'vitest',
      why: `ended with code ${code}: an error outside of any test, see above`,
    });
  if (passed === 0 && failures.length === 0)
    failures.push({ name: 'vitest', why: 'there was no test to run' });
  return { passed, failures };
}

function whyNot(status: string | undefined, messages: readonly string[] = []): string {
  if (status === 'failed') return firstLine(messages[0] ?? 'failed');
  return `did not run (${status ?? 'no status'})`;
}

function readFiles(report: string | undefined): readonly VitestFile[] | undefined {
  if (report === undefined) return undefined;
  try {
    const parsed: { testResults?: readonly VitestFile[] } = JSON.parse(report);
    return parsed.testResults;
  } catch {
    return undefined;
  }
}

/** Counts the output of `go test -json`: one JSON object per line, and the compiler's own words between them. */
export function tallyGo(output: string, code: number): Tally {
  let passed = 0;
  const failures: Failure[] = [];
  for (const line of output.split('\n')) {
    if (!line.startsWith('{')) continue;
    const { Action, Test, Package }: { Action?: string; Test?: string; Package?: string } = JSON.parse(line);
    if (Test === undefined) continue;
    const name = `${Package ?? '?'} > ${Test}`;
    if (Action === 'pass') passed += 1;
    else if (Action === 'fail') failures.push({ name, why: 'failed' });
    else if (Action === 'skip') failures.push({ name, why: 'did not run (skipped)' });
  }
  if (code !== 0 && failures.length === 0) failures.push({ name: 'go test', why: `ended with code ${code}` });
  if (passed === 0 && failures.length === 0)
    failures.push({ name: 'go test', why: 'there was no test to run' });
  return { passed, failures };
}

export function firstLine(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
