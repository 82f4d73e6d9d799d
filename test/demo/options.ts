import { parseArgs } from 'node:util';

export const usage = `Usage: npm run demo -- [--yes] [--json FILE] [--keep] [--name NAME]

  --yes        do not ask before installing
  --json FILE  write the receipt as JSON
  --keep       leave the cluster up and say how to look at it
  --name NAME  name of the cluster (default: demo)
`;

export interface DemoOptions {
  readonly yes: boolean;
  readonly json: string | undefined;
  readonly keep: boolean;
  readonly name: string;
  readonly help: boolean;
}

/** Throws TypeError with a message for people on unknown or incomplete options. */
export function readOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      yes: { type: 'boolean', short: 'y', default: false },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
      name: { type: 'string', default: 'demo' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return { ...values, json: values.json };
}
