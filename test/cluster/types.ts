import type { Background } from './background.ts';

/** Where a store of the cluster is, and who may use it. Reachable from pods and from the machine alike. */
export interface S3Access {
  /** `http://<bridge address>:7070`; path-style addressing. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface ClusterOptions {
  /** How people refer to the cluster; two live clusters never share a name. Default: `default`. */
  readonly name?: string;
  /** Starts Karpenter with an empty NodePool whose Nodes get real kubelets. Default true. */
  readonly karpenter?: boolean;
  /** Starts one real node with label `ebbflow.dev/pool=system` and no taint. Default true. */
  readonly systemNode?: boolean;
  /** Absolute paths of docker archives that every node has from its first moment (no registry exists). */
  readonly images?: readonly string[];
  /** How long the node controller waits for a silent kubelet before the Node counts as not ready. Default 16. */
  readonly nodeMonitorGraceSeconds?: number;
  /** How long a kubelet of a Karpenter Node may be dead before the harness, as a cloud would, takes the machine away. Default 60. */
  readonly deadNodeSeconds?: number;
  /** The most nodes' CPUs that the NodePool may ever hold at once. Default 8. */
  readonly poolCpuLimit?: number;
  /**
   * `process`: the cluster ends with the process that started it, however that dies (default).
   * `command`: it lives until `down`, or until `maxLifeSeconds` are over.
   */
  readonly owner?: 'process' | 'command';
  /** Once it is up, the cluster has the processor time that others leave. Default: its share. */
  readonly background?: Background;
  /** The cluster takes itself down after this time, whoever owns it. Default 14,400 (4 h). */
  readonly maxLifeSeconds?: number;
  /** One line for people per step; long steps repeat themselves with the time so far. Default: silent. */
  readonly progress?: (line: string) => void;
}

export interface ClusterNode {
  readonly name: string;
  readonly role: 'system' | 'worker';
  /** `booting` until its kubelet runs; `dead` once the kubelet has been seen dead. */
  readonly state: 'booting' | 'running' | 'dead';
  readonly address: string;
  /** CIDR of the pods on this node. */
  readonly pods: string;
  /** Process ids on the machine, absent when not running (any more). */
  readonly kubeletPid?: number;
  readonly containerdPid?: number;
}

/** What the harness, playing the cloud, does with the next Nodes that Karpenter asks for. */
export interface CloudBehaviour {
  /** Wait this long before the kubelet of a new Node starts. */
  readonly bootDelayMs?: number;
  /** Accept Nodes but never start their kubelets. */
  readonly neverRegister?: boolean;
}

/** Faults for nodes. All act at once, without warning to the cluster. */
export interface NodeFaults {
  killKubelet(node: string): Promise<void>;
  startKubelet(node: string): Promise<void>;
  /** Without its shims the containers go on running; with them they die and nobody reports it. */
  killContainerd(node: string, options: { readonly withShims: boolean }): Promise<void>;
  startContainerd(node: string): Promise<void>;
  /** Everything on the node dies at once, as when a machine is reclaimed. The Node object stays for `deadNodeSeconds`. */
  killNode(node: string): Promise<void>;
  /** Applies to Nodes that Karpenter creates from now on; `{}` is the ordinary cloud. */
  setCloud(behaviour: CloudBehaviour): Promise<void>;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Cluster {
  readonly name: string;
  /** Path of an administrator's kubeconfig; the API server listens on an address of this machine. */
  readonly kubeconfig: string;
  readonly apiServer: string;
  readonly s3: S3Access;
  /** Absolute paths of the pinned clients. */
  readonly binaries: { readonly kubectl: string; readonly helm: string };
  /** Address of the machine on the cluster's bridge: servers of a test that pods must reach listen here. */
  readonly hostAddress: string;
  /** What the cluster's own programs wrote: one `<process>.log` each. */
  readonly logDirectory: string;
  readonly faults: NodeFaults;
  nodes(): Promise<readonly ClusterNode[]>;
  /** Runs kubectl as administrator; rejects with KubectlFailed when it ends with a code other than 0. Returns its standard output. */
  kubectl(
    args: readonly string[],
    options?: { readonly input?: string; readonly timeoutMs?: number },
  ): Promise<string>;
  /** Environment for a child process: KUBECONFIG, AWS_*, and PATH with kubectl and helm in front. */
  environment(): Record<string, string>;
  /** Takes everything down. Calling it twice is harmless. */
  stop(): Promise<void>;
}
