/** The stores of a copy, from options and environment, and clients for them. */
import { readFile } from 'node:fs/promises';
import type { Sides } from '../../workers/copy/sides.ts';
import { EndpointError } from '../../workers/s3/address.ts';
import { S3Client } from '../../workers/s3/client.ts';
import { ambientCredentials, profileCredentials } from '../../workers/s3/ambient.ts';
import { CliError } from '../errors.ts';
import type { SideFlags, StoreFlags } from './storeflags.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a store is and whose credentials it takes. Holds no secret. */
export interface LocalStoreSpec {
  /** Undefined: Amazon S3. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly addressing: 'Path' | 'Virtual';
  readonly profile: string | undefined;
}

export interface LocalStores {
  readonly source: LocalStoreSpec;
  readonly destination: LocalStoreSpec;
  /** Both sides are one store, so objects need not pass through this machine. */
  readonly one: boolean;
}

/** Fills in what the options leave out, from the variables that the AWS tools know. */
export function resolveStores({ source, destination }: StoreFlags, env: Environment): LocalStores {
  const [from, to] = [resolveSide(source, env), resolveSide(destination, env)];
  const one =
    from.endpoint === to.endpoint &&
    from.region === to.region &&
    from.addressing === to.addressing &&
    from.profile === to.profile;
  return { source: from, destination: to, one };
}

function resolveSide(flags: SideFlags, env: Environment): LocalStoreSpec {
  const endpoint = flags.endpoint ?? filled(env['AWS_ENDPOINT_URL_S3']) ?? filled(env['AWS_ENDPOINT_URL']);
  return {
    endpoint: endpoint?.replace(/\/$/, ''),
    region: flags.region ?? filled(env['AWS_REGION']) ?? filled(env['AWS_DEFAULT_REGION']) ?? 'us-east-1',
    addressing: flags.addressing ?? (endpoint === undefined ? 'Virtual' : 'Path'),
    profile: flags.profile,
  };
}

/** Clients for both sides; one and the same where both are one store. */
export async function openLocalSides(
  stores: LocalStores,
  env: Environment,
  connections: number,
): Promise<Sides> {
  const ca = await readBundle(env);
  const open = (spec: LocalStoreSpec): S3Client => {
    const { profile, ...where } = spec;
    const credentials = profile === undefined ? ambientCredentials(env) : profileCredentials(profile);
    try {
      return new S3Client({ ...where, ca, connections, credentials });
    } catch (error) {
      if (!(error instanceof EndpointError)) throw error;
      throw new CliError('Usage', error.message, { next: 'ebbflow copy --help', cause: error });
    }
  };
  const source = open(stores.source);
  return { source, destination: stores.one ? source : open(stores.destination) };
}

async function readBundle(env: Environment): Promise<string | undefined> {
  const path = filled(env['AWS_CA_BUNDLE']);
  if (path === undefined) return undefined;
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new CliError('Usage', `AWS_CA_BUNDLE names ${path}, which cannot be read`, { cause: error });
  });
}

/** An empty variable is as good as none. */
function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
