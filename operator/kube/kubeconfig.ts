/** How to reach an API server. */
export interface ClusterAccess {
  /** Base URL, such as `https://127.0.0.1:6443`. */
  server: string;
  /** PEM of the authorities to trust; absent: those of Node. */
  ca?: string;
  /** PEM of the client certificate and its key. */
  cert?: string;
  key?: string;
  serverName?: string;
  insecureSkipTlsVerify?: boolean;
  /** The namespace of the context, or of the pod we run in. */
  namespace: string;
  /** The Authorization header of the next request, if there is one; reads a rotated token again. */
  authorization(): Promise<string | undefined>;
}

/** Where to look for the configuration. */
export interface AccessOptions {
  /** Path of a kubeconfig file; wins over the pod's service account. */
  kubeconfig?: string;
  context?: string;
}

/** Reads how to reach the API server: the given kubeconfig, else the service account of the pod we run in. */
export function loadClusterAccess(_options?: AccessOptions): Promise<ClusterAccess> {
  throw new Error('not written yet');
}
