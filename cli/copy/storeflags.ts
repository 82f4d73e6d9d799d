/** Which stores a copy uses, as far as the command line says so. Pure. */
import { CliError } from '../errors.ts';

/** One side's options; what is left out comes from the environment. */
export interface SideFlags {
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly addressing: 'Path' | 'Virtual' | undefined;
  readonly profile: string | undefined;
}

type Prefix = '' | 'source-' | 'destination-';
type Field = 'endpoint' | 'region' | 'addressing' | 'profile';
/** The options of any command that speaks to stores. */
export type StoreOptions = { readonly [K in `${Prefix}${Field}`]?: string | undefined };

export interface StoreFlags {
  readonly source: SideFlags;
  readonly destination: SideFlags;
}

const ENDPOINT = /^https?:\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\/?$/;

/** @throws CliError for an option that cannot be meant. */
export function readStores(values: StoreOptions): StoreFlags {
  return { source: readSide(values, 'source'), destination: readSide(values, 'destination') };
}

function readSide(values: StoreOptions, side: 'source' | 'destination'): SideFlags {
  const endpoint = values[`${side}-endpoint`] ?? values.endpoint;
  if (endpoint !== undefined && !ENDPOINT.test(endpoint)) {
    throw new CliError(
      'Usage',
      `the endpoint ${JSON.stringify(endpoint)} is not http(s)://host or http(s)://host:port`,
      {
        next: 'ebbflow copy --help',
      },
    );
  }
  return {
    endpoint: endpoint?.replace(/\/$/, ''),
    region: values[`${side}-region`] ?? values.region,
    addressing: readAddressing(values[`${side}-addressing`] ?? values.addressing),
    profile: values[`${side}-profile`] ?? values.profile,
  };
}

function readAddressing(text: string | undefined): SideFlags['addressing'] {
  switch (text?.toLowerCase()) {
    case undefined:
      return undefined;
    case 'path':
      return 'Path';
    case 'virtual':
      return 'Virtual';
    default:
      throw new CliError('Usage', `--addressing ${JSON.stringify(text)} is none of path, virtual`, {
        next: 'ebbflow copy --help',
      });
  }
}
