/** `nodes.json`: the final figures of the nodes of a run, written when the last of them is gone. */
export interface NodesRecord {
  readonly version: 1;
  readonly runUID: string;
  readonly nodes: readonly NodeFigures[];
  readonly launched: number;
  /** Sum of the seconds of the nodes, from creation until they were gone. */
  readonly nodeSeconds: number;
}

export interface NodeFigures {
  readonly name: string;
  readonly instanceType?: string;
  readonly capacityType?: string;
  readonly zone?: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** RFC 3339; null when the node still existed as the record was closed. */
  readonly goneAt: string | null;
  readonly seconds: number;
}

/** Sums for the status of a run: integers. */
export interface NodeSums {
  readonly launched: number;
  readonly nodeSeconds: number;
}

/** One machine as the ledger knows it. Times are milliseconds since 1970. */
export interface LedgerNode {
  readonly uid: string;
  readonly name: string;
  readonly instanceType?: string;
  readonly capacityType?: string;
  readonly zone?: string;
  readonly nodeGroup?: string;
  readonly createdAt: number;
  readonly goneAt?: number;
}

/** Seconds that the node has existed. */
export function nodeSeconds(node: LedgerNode, now: number): number {
  return Math.max(0, Math.round(((node.goneAt ?? now) - node.createdAt) / 1000));
}

/** Sums of these nodes, and never less than what was said before: an operator that starts anew may have missed some. */
export function sumNodes(nodes: readonly LedgerNode[], now: number, before?: NodeSums): NodeSums {
  const sum = nodes.reduce((total, node) => total + nodeSeconds(node, now), 0);
  return {
    launched: Math.max(nodes.length, before?.launched ?? 0),
    nodeSeconds: Math.max(sum, before?.nodeSeconds ?? 0),
  };
}

/** The record of these nodes, in order of their creation. */
export function makeNodesRecord(
  runUID: string,
  nodes: readonly LedgerNode[],
  now: number,
  before?: NodeSums,
): NodesRecord {
  const inOrder = nodes.toSorted((a, b) => a.createdAt - b.createdAt || a.name.localeCompare(b.name, 'en'));
  return {
    version: 1,
    runUID,
    nodes: inOrder.map((node) => ({
      name: node.name,
      ...(node.instanceType !== undefined && { instanceType: node.instanceType }),
      ...(node.capacityType !== undefined && { capacityType: node.capacityType }),
      ...(node.zone !== undefined && { zone: node.zone }),
      createdAt: new Date(node.createdAt).toISOString(),
      goneAt: node.goneAt === undefined ? null : new Date(node.goneAt).toISOString(),
      seconds: nodeSeconds(node, now),
    })),
    ...sumNodes(nodes, now, before),
  };
}
