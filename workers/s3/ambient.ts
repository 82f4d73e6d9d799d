import { CredentialsError, fixedCredentials, keepFresh, type CredentialSource } from './credentials.ts';
import type { Credentials } from './sign.ts';

/**
 * The environment's own credentials: the three AWS_ variables, else whatever the AWS SDK's default chain finds (web
 * identity, container or instance role). The SDK is loaded only when the variables are missing.
 */
export function ambientCredentials(env: Readonly<Record<string, string | undefined>>): CredentialSource {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  // An empty variable is as good as none.
  if (accessKeyId && secretAccessKey) {
    return fixedCredentials({
      accessKeyId,
      secretAccessKey,
      sessionToken: env['AWS_SESSION_TOKEN'] || undefined,
    });
  }
  return keepFresh(fetchFromChain);
}

/** What a profile of ~/.aws gives (keys, a role to assume, SSO, a process), whatever the environment says. */
export function profileCredentials(profile: string): CredentialSource {
  return keepFresh(() => fetchFromProfile(profile));
}

async function fetchFromChain(): Promise<Credentials> {
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
  try {
    return pick(await fromNodeProviderChain()());
  } catch (error) {
    throw new CredentialsError(
      "no credentials found: give the store a secretRef, or give the stage's service account a workload identity",
      { cause: error },
    );
  }
}

async function fetchFromProfile(profile: string): Promise<Credentials> {
  const { fromIni } = await import('@aws-sdk/credential-providers');
  try {
    return pick(await fromIni({ profile })());
  } catch (error) {
    throw new CredentialsError(`profile ${JSON.stringify(profile)} of ~/.aws gives no credentials`, {
      cause: error,
    });
  }
}

function pick({ accessKeyId, secretAccessKey, sessionToken, expiration }: Credentials): Credentials {
  return { accessKeyId, secretAccessKey, sessionToken, expiration };
}
