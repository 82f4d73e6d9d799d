import { readdirSync, readFileSync } from 'node:fs';

interface Relation {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
}

function relationOf(pid: number): Relation | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, parent: Number(parent), group: Number(group) };
  } catch {
    return undefined; // ended in between
  }
}

/** The descendants of a process in its own process group: what it started in the foreground, not its daemons. */
export function findForeground(all: readonly Relation[], root: Relation): number[] {
  const found: number[] = [];
  for (let parents = new Set([root.pid]); parents.size > 0; ) {
    const children = all.filter(({ parent, group }) => parents.has(parent) && group === root.group);
    parents = new Set(children.map(({ pid }) => pid));
    found.push(...parents);
  }
  return found;
}

/** Ends what this process runs in the foreground: compilers, downloads, builds. The cluster's daemons are their own groups. */
export function endForeground(): void {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => relationOf(Number(name)) ?? []);
  const self = relationOf(process.pid);
  if (self === undefined) return;
  for (const pid of findForeground(all, self)) {
    try {
      process.kill(pid, 'SIGTERM');
    } catch {} // ended by itself
  }
}

/** The work, or a rejection as soon as the signal aborts; the work itself is not ended by it. */
export function orInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
