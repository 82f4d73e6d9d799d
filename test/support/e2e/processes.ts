/** Processes of pods, found from outside: the nodes of the test cluster are on this machine. */
import { readdirSync, readFileSync } from 'node:fs';

export interface PodProcess {
  /** Process id on the machine. */
  readonly pid: number;
  readonly argv: readonly string[];
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // ended since
  }
};

/** Every process of a pod. The kubelet puts the pod's UID into the name of its cgroup. */
export function processesOf(podUID: string): PodProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/cgroup`).includes(podUID))
    .map((name) => ({
      pid: Number(name),
      argv: read(`/proc/${name}/cmdline`).split('\0').filter(Boolean),
    }));
}

/** Kills, as `kill -9` does, the processes of a pod that are wanted. @throws Error when there is none: nothing was tested then. */
export function killProcesses(podUID: string, isWanted: (argv: readonly string[]) => boolean): void {
  const wanted = processesOf(podUID).filter(({ argv }) => isWanted(argv));
  if (wanted.length === 0)
    throw new Error(`pod ${podUID} has no such process: ${JSON.stringify(processesOf(podUID))}`);
  for (const { pid } of wanted) process.kill(pid, 'SIGKILL');
}
