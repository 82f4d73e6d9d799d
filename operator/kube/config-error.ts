/** The way to the API server is not, or not well, configured. The message never quotes the configuration's values. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'KUBE_CONFIG';
}
