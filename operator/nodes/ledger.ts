/** The ledger of nodes: which ones came up for a run, and how long they stood. */
import type { Clock } from '../kube/clock.ts';
import { Claims } from './claims.ts';
import { type NodeObjectView, readMachine } from './machine.ts';
import {
  type LedgerNode,
  makeNodesRecord,
  nodeSeconds,
  type NodesRecord,
  type NodeSums,
  sumNodes,
} from './record.ts';
import { boundAt, type PodView, timeOf } from './views.ts';

/** How long after the end of a run its nodes are waited for, in milliseconds. */
const MAX_NODE_WAIT_MS = 30 * 60_000;
/** How long after the end of a run nodes and pods may still be told: the caches fill side by side. */
const SETTLE_MS = 5_000;
/**
 * How long after its end a run may still lack its record when this ledger begins, in milliseconds. Of older ones a
 * lifecycle rule of the bucket, which counts in days, may have removed everything: a record alone must not come back.
 */
const MAY_LACK_MS = 24 * 3_600_000;
/** How long what belongs to no known run is kept: after a restart, nodes and pods are told before the runs. */
const ORPHAN_MS = 10 * 60_000;

export interface LedgerPodView extends PodView {
  readonly metadata: {
    readonly uid?: string | undefined;
  };
}

export interface NodeLedgerOptions {
  clock: Clock;
  /**
   * Called once per finished run with its final figures: after the last of its nodes is gone, or 30 minutes later.
   * `ifMissing`: the figures are a lower bound, and must not replace a record that is there.
   */
  onFinal: (record: NodesRecord, ifMissing: boolean) => void;
  /** A node that came up in the life of this ledger turned out to be there for a run. */
  onLaunched?: (node: LedgerNode) => void;
  /** Such a node is gone after so many seconds. */
  onGone?: (node: LedgerNode, seconds: number) => void;
  /**
   * Asks once per node whether pods of others had it before this time (milliseconds since 1970): the caches hold
   * only our own pods. See foreign.ts. Absent or rejected: they had not.
   */
  othersCameFirst?: (node: LedgerNode, before: number) => Promise<boolean>;
}

interface Run {
  readonly startedAt: number;
  /** A lower bound; after the delivery, the final figures. */
  before?: NodeSums;
  state: 'running' | 'settling' | 'waiting' | 'delivered';
  stopTimer?: () => void;
}

/**
 * Which nodes are there because of which run, and for how long. A node belongs to a run when it was created after
 * the run's start and the first pod on it (DaemonSets aside) was that run's. Fed by the handlers of the caches of
 * Nodes and of our pods; the order in which those speak does not matter.
 */
export class NodeLedger {
  readonly #options: NodeLedgerOptions;
  /** By UID: a name may come back with another machine behind it. */
  readonly #nodes = new Map<string, LedgerNode>();
  /** UIDs of nodes that pods of others had first. */
  readonly #foreign = new Set<string>();
  readonly #counted = new Set<string>();
  readonly #claims = new Claims();
  readonly #runs = new Map<string, Run>();
  readonly #startedAt: number;

  constructor(options: NodeLedgerOptions) {
    this.#options = options;
    this.#startedAt = this.#now();
  }

  /**
   * The run exists. Again and again is fine; what counts is the first call. `before` is what the status of the run
   * says from before a restart: a lower bound.
   */
  begin(runUID: string, startedAt: string, before?: NodeSums): void {
    const start = timeOf(startedAt);
    if (start === undefined || this.#runs.has(runUID)) return;
    this.#runs.set(runUID, { startedAt: start, state: 'running', ...(before && { before }) });
    for (const node of this.#nodesOf(runUID)) this.#count(node);
  }

  /**
   * The run is over: onFinal follows, unless true is answered: then it has been called, or never will be. Again and
   * again is fine. A run that was over before this ledger existed, and of
   * which no node is known, mostly has its record already: what is known is only for the case that it has not, and one
   * that was over long before has it.
   */
  finish(runUID: string, completionTime?: string): boolean {
    const run = this.#runs.get(runUID);
    if (run?.state !== 'running') return run === undefined || run.state === 'delivered';
    const completedAt = timeOf(completionTime);
    if (completedAt !== undefined && completedAt < this.#startedAt - MAY_LACK_MS) {
      run.state = 'delivered';
      return true;
    }
    const wasOver = completedAt === undefined ? run.before !== undefined : completedAt < this.#startedAt;
    run.state = 'settling';
    run.stopTimer = this.#options.clock.after(SETTLE_MS, () => {
      run.state = 'waiting';
      if (wasOver && this.#nodesOf(runUID).length === 0) {
        this.#deliver(runUID, true);
        return;
      }
      run.stopTimer = this.#options.clock.after(MAX_NODE_WAIT_MS - SETTLE_MS, () => this.#deliver(runUID));
      this.#deliverWhenGone(runUID);
    });
    return false;
  }

  /** The object is gone: the run is of no interest any more, and onFinal will not be called if it was not yet. */
  forget(runUID: string): void {
    this.#runs.get(runUID)?.stopTimer?.();
    this.#runs.delete(runUID);
    this.#sweep();
  }

  /** Figures so far. A run that never began has none. */
  figures(runUID: string): NodeSums {
    const run = this.#runs.get(runUID);
    if (run?.state === 'delivered' && run.before !== undefined) return run.before;
    return sumNodes(this.#nodesOf(runUID), this.#now(), run?.before);
  }

  /** Number of machines it remembers. */
  get size(): number {
    return this.#nodes.size;
  }

  /** A Node is there or changed. */
  nodeSeen(object: NodeObjectView): void {
    const machine = readMachine(object);
    if (machine === undefined) return;
    const node = { ...this.#nodes.get(machine.uid), ...machine };
    this.#nodes.set(machine.uid, node);
    this.#count(node);
  }

  /** A Node is gone. */
  nodeGone(object: NodeObjectView): void {
    const machine = readMachine(object);
    if (machine === undefined || this.#nodes.get(machine.uid)?.goneAt !== undefined) return;
    const node = { ...this.#nodes.get(machine.uid), ...machine, goneAt: this.#now() };
    this.#nodes.set(machine.uid, node);
    const runUID = this.#ownerOf(node);
    if (runUID !== undefined) {
      this.#options.onGone?.(node, nodeSeconds(node, this.#now()));
      this.#deliverWhenGone(runUID);
    }
    this.#sweep();
  }

  /** A pod of the run is there or changed. */
  podSeen(runUID: string, pod: LedgerPodView): void {
    const podUID = pod.metadata.uid;
    const nodeName = pod.spec?.nodeName;
    if (podUID === undefined || nodeName === undefined || nodeName === '') return;
    if (this.#claims.has(nodeName, podUID)) return;
    this.#claims.add(nodeName, { runUID, podUID, boundAt: boundAt(pod) ?? this.#now() });
    for (const node of this.#nodes.values()) if (node.name === nodeName) this.#count(node);
  }

  /** Ends all timers; no callback follows. */
  stop(): void {
    for (const run of this.#runs.values()) run.stopTimer?.();
    this.#runs.clear();
  }

  #now(): number {
    return this.#options.clock.now().getTime();
  }

  #nodesOf(runUID: string): LedgerNode[] {
    return [...this.#nodes.values()].filter((node) => this.#ownerOf(node) === runUID);
  }

  /** The run that the node is there for. */
  #ownerOf(node: LedgerNode): string | undefined {
    const claim = this.#claims.first(node);
    if (claim === undefined || this.#foreign.has(node.uid)) return undefined;
    const run = this.#runs.get(claim.runUID);
    // Creation times of the server have whole seconds, and so has the start of a run.
    const isLater = run !== undefined && node.createdAt >= Math.floor(run.startedAt / 1000) * 1000;
    return isLater ? claim.runUID : undefined;
  }

  /** A node is counted once, as soon as its run is known. */
  #count(node: LedgerNode): void {
    if (this.#counted.has(node.uid) || this.#ownerOf(node) === undefined) return;
    this.#counted.add(node.uid);
    const launched = (): void => {
      // An older one was counted before a restart.
      if (node.createdAt >= this.#startedAt && !this.#foreign.has(node.uid)) this.#options.onLaunched?.(node);
    };
    const before = this.#claims.first(node)?.boundAt;
    if (this.#options.othersCameFirst === undefined || before === undefined) launched();
    else
      this.#options
        .othersCameFirst(node, before)
        .then((foreign) => void (foreign && this.#foreign.add(node.uid)))
        // Without an answer the node is taken for what it looks like.
        .catch(() => undefined)
        .finally(launched);
  }

  #deliverWhenGone(runUID: string): void {
    if (this.#runs.get(runUID)?.state !== 'waiting') return;
    if (this.#nodesOf(runUID).every((node) => node.goneAt !== undefined)) this.#deliver(runUID);
  }

  #deliver(runUID: string, ifMissing = false): void {
    const run = this.#runs.get(runUID);
    if (run?.state !== 'waiting') return;
    run.state = 'delivered';
    run.stopTimer?.();
    const record = makeNodesRecord(runUID, this.#nodesOf(runUID), this.#now(), run.before);
    run.before = { launched: record.launched, nodeSeconds: record.nodeSeconds };
    this.#sweep();
    this.#options.onFinal(record, ifMissing);
  }

  /** Forgets what is gone and has no part in a run that still waits for its figures. */
  #sweep(): void {
    const isOpen = (runUID: string | undefined): boolean =>
      runUID !== undefined && (this.#runs.get(runUID)?.state ?? 'delivered') !== 'delivered';
    const isOld = (time: number): boolean => this.#now() - time > ORPHAN_MS;
    const live = new Set<string>();
    for (const node of this.#nodes.values()) {
      if (node.goneAt === undefined || isOpen(this.#ownerOf(node)) || !isOld(node.goneAt))
        live.add(node.name);
      else {
        this.#nodes.delete(node.uid);
        this.#foreign.delete(node.uid);
        this.#counted.delete(node.uid);
      }
    }
    this.#claims.keep((name, claim) => live.has(name) || isOpen(claim.runUID) || !isOld(claim.boundAt));
  }
}
