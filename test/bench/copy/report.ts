import type { BenchRow } from './rows.ts';

/** The machine and the programs, in so many words as figures need to be understood. */
export interface Bench {
  readonly cores: number;
  readonly memoryGiB: number;
  /** Name and version. */
  readonly programs: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly rows: readonly BenchRow[];
}

/** docs/benchmarks.md. Pure. */
export function writePage({ cores, memoryGiB, programs, rounds, rows }: Bench): string {
  const versions = Object.entries(programs).map(([name, version]) => `${name} ${version}`);
  const missed = rows.filter(({ holds }) => holds === false);
  return `# Benchmarks

Made by \`npm run bench:copy\`. Absolute figures say something about one machine only; what counts are the ratios, which were taken in one run.

Machine: ${cores} cores, ${memoryGiB} GiB of memory, which client and server share. ${versions.join(', ')}.

Every program copies the same objects from one bucket to an empty other one on the same server, in turn, ${rounds} times; the median counts, and only when keys, sizes and sums at the destination are right.
s5cmd runs with its defaults, rclone with \`--transfers 32 --checkers 32 --fast-list\`, \`ebbflow copy\` with its defaults; its start, plan and ledger are in its figures.
Client CPU is user and system time of the program alone. The server copies bytes through its own process, so with large objects the disk and its CPU set the pace for all three.
Planning runs against a store double in another process. The limit of the throttling tests is a token bucket; what counts begins 10 s after the first copy.

![Rates and client CPU beside s5cmd](benchmarks-copy.svg)

${missed.length === 0 ? 'All targets hold.' : `Targets that do not hold: ${missed.map(({ name }) => name).join('; ')}.`}

${table(rows)}
`;
}

function table(rows: readonly BenchRow[]): string {
  const lines = rows.map(({ name, value, unit, target = '', holds }) => {
    const verdict = holds === undefined ? '' : holds ? 'yes' : '**no**';
    return `| ${name} | ${value.toLocaleString('en')} ${unit} | ${target} | ${verdict} |`;
  });
  return ['| what | value | target | holds |', '| --- | ---: | --- | --- |', ...lines].join('\n');
}

/** The same for a terminal. Pure. */
export function writeText(rows: readonly BenchRow[]): string {
  const long = Math.max(...rows.map(({ name }) => name.length));
  return rows
    .map(({ name, value, unit, target, holds }) => {
      const verdict = target === undefined ? '' : `   ${target}: ${holds === true ? 'holds' : 'MISSED'}`;
      return `${name.padEnd(long)}  ${value.toLocaleString('en').padStart(10)} ${unit}${verdict}`;
    })
    .join('\n');
}
