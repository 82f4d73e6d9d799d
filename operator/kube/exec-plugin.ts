/** Credentials from the exec plugin that a kubeconfig names. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Clock } from './clock.ts';
import { ConfigError } from './config-error.ts';
import { isRecord, readRecord, readString } from './records.ts';
import type { Environment } from './service-account.ts';

/** The `exec` entry of a kubeconfig user. */
export interface ExecConfig {
  readonly command: string;
  readonly apiVersion: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What a plugin gave: a certificate for the life of the process, or tokens that are asked for again in time. */
export interface ExecCredentials {
  cert?: string;
  key?: string;
  authorization: () => Promise<string | undefined>;
}

interface Credential {
  token?: string;
  cert?: string;
  key?: string;
  expiresMs: number;
}

/** A token is renewed so long before it expires. */
const renewBeforeMs = 60_000;

const run = promisify(execFile);

/** Runs a credential plugin, and again whenever its token is about to expire. Throws ConfigError. */
export async function runExecPlugin(
  config: ExecConfig,
  env: Environment,
  clock: Clock,
): Promise<ExecCredentials> {
  let credential = await ask(config, env);
  let renewal: Promise<void> | undefined;
  return {
    cert: credential.cert,
    key: credential.key,
    authorization: async () => {
      if (clock.now().getTime() >= credential.expiresMs - renewBeforeMs) {
        renewal ??= ask(config, env)
          .then((fresh) => void (credential = fresh))
          .finally(() => void (renewal = undefined));
        await renewal;
      }
      return credential.token === undefined ? undefined : `Bearer ${credential.token}`;
    },
  };
}

async function ask(config: ExecConfig, env: Environment): Promise<Credential> {
  const request = { apiVersion: config.apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  let output: string;
  try {
    const result = await run(config.command, [...config.args], {
      env: { ...env, ...config.env, KUBERNETES_EXEC_INFO: JSON.stringify(request) },
      timeout: 30_000,
    });
    output = result.stdout;
  } catch {
    // The original error holds the output, and with it perhaps a credential.
    throw new ConfigError(`the credential plugin ${config.command} failed`);
  }
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    throw new ConfigError(`the credential plugin ${config.command} did not answer in JSON`);
  }
  const status = isRecord(answer) ? readRecord(answer, 'status') : undefined;
  if (status === undefined) throw new ConfigError(`the credential plugin ${config.command} gave no status`);
  const expires = Date.parse(readString(status, 'expirationTimestamp') ?? '');
  return {
    token: readString(status, 'token'),
    cert: readString(status, 'clientCertificateData'),
    key: readString(status, 'clientKeyData'),
    expiresMs: Number.isNaN(expires) ? Number.POSITIVE_INFINITY : expires,
  };
}
