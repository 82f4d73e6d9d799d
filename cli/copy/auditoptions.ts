/** The options of `ebbflow copy verify`, and what they mean. */
import type { parseArgs } from 'node:util';

export const AUDIT_OPTIONS = {
  stage: { type: 'string' },
  level: { type: 'string' },
  percent: { type: 'string' },
  concurrency: { type: 'string' },
  endpoint: { type: 'string' },
  region: { type: 'string' },
  addressing: { type: 'string' },
  profile: { type: 'string' },
  'source-endpoint': { type: 'string' },
  'source-region': { type: 'string' },
  'source-addressing': { type: 'string' },
  'source-profile': { type: 'string' },
  'destination-endpoint': { type: 'string' },
  'destination-region': { type: 'string' },
  'destination-addressing': { type: 'string' },
  'destination-profile': { type: 'string' },
  namespace: { type: 'string', short: 'n' },
  context: { type: 'string' },
  server: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  help: { type: 'boolean', short: 'h' },
} as const;

export type AuditOptions = ReturnType<typeof parseArgs<{ options: typeof AUDIT_OPTIONS }>>['values'];

export const AUDIT_USAGE = `ebbflow copy verify: check that every object of a finished copy is still there as it was copied

  ebbflow copy verify STATE_DIR [options]     a copy of this machine: the directory that ebbflow copy named at its end
  ebbflow copy verify UID [options]           a copy stage of a PipelineRun; its ledger is read through the operator

It needs the ledger and read access to the destination; with your own credentials, as for ebbflow copy. Sources are
read only where nothing else tells the bytes of a copy. Nothing is written.

  --level LEVEL         size (default): there, with the size and ETag of the ledger
                        checksum: and with the checksum of the whole object, or its bytes read where there is none
                        sample: and the bytes of a share of the objects read
  --percent N           the share for --level sample, 1 to 100 (default 1)
  --stage NAME          the copy stage, where a run has several
  --concurrency N       requests in flight at most (default 32)
  --endpoint, --region, --addressing, --profile, and --source-... and --destination-...: as for ebbflow copy; what is
                        left out is taken from the copy itself
  -n, --namespace, --context, --server      how the operator is reached, as for ebbflow results
  --json                print one result for programs on stdout, with the first 100 differences
  -q, --quiet           no progress (warnings stay)

Exit codes
  0   all are there as they were copied       12  the copy is not finished, or a store cannot be reached;
  11  some are not                                try again later
  10  a store refuses; correct what it names  2   the command line is wrong
  1   the ledger cannot be read               130 or 143  ended by Ctrl-C or SIGTERM
`;
