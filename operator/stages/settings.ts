/** What the operator knows and every pod template needs. */
export interface PodSettings {
  /** Our own image, which holds every role. */
  image: string;
  /** Base URL of the worker API, with an address instead of a name. */
  apiURL: string;
  /** Name that its certificate is issued for. */
  apiServerName: string;
  /** PEM of the CA of that certificate. */
  apiCA: string;
  /** How much work makes another worker of a copy worth its start, in small objects. */
  copyWorkerShare: number;
}
