/** The options of `ebbflow copy` and `ebbflow copy verify`, and what they mean. */
import type { parseArgs } from 'node:util';

/** What both take. */
const SHARED = {
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
  stage: { type: 'string' },
  namespace: { type: 'string', short: 'n' },
  context: { type: 'string' },
  server: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** For util.parseArgs. */
export const OPTIONS = {
  ...SHARED,
  match: { type: 'string', multiple: true },
  replace: { type: 'string', multiple: true },
  'key-list': { type: 'string' },
  'ledger-of': { type: 'string' },
  'dry-run': { type: 'boolean' },
  move: { type: 'boolean' },
  'on-existing': { type: 'string' },
  'on-unmatched': { type: 'string' },
  'on-empty': { type: 'string' },
  'max-failures': { type: 'string' },
  verify: { type: 'string' },
  'sample-percent': { type: 'string' },
  'key-equivalence': { type: 'string' },
  transfer: { type: 'string' },
  'multipart-threshold': { type: 'string' },
  state: { type: 'string' },
  new: { type: 'boolean' },
} as const;

export type CopyOptions = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

/** Those of `verify`. */
export const VERIFY_OPTIONS = { ...SHARED, level: { type: 'string' }, percent: { type: 'string' } } as const;

export type VerifyOptions = ReturnType<typeof parseArgs<{ options: typeof VERIFY_OPTIONS }>>['values'];

export const COPY_USAGE = `ebbflow copy: copy and rename objects in S3 stores, from this machine, without a cluster

  ebbflow copy s3://BUCKET/PREFIX s3://BUCKET/PREFIX [options]
  ebbflow copy plan s3://BUCKET/PREFIX s3://BUCKET/PREFIX [options]      the same as --dry-run
  ebbflow copy verify STATE_DIR|UID [options]    check a finished copy; see ebbflow copy verify --help

Prefixes are plain strings: no slash is added. Before the first object is written, the whole plan is proved free of
collisions. Plan and ledger are kept in a directory of this machine; after a crash or Ctrl-C the same command goes on.

What is copied
  --match RE            regular expression with named groups, on the key after the source's prefix; linear-time:
                        no look-around, no back-references. In pairs with --replace; the first that matches wins
  --replace TEMPLATE    the whole new key after the destination's prefix: {group} {key} {dir} {stem} {ext} {size}
                        {date:YYYY-MM-DD} {hash:4}, filters {x|lower} {x|upper} {x|pad:6}; {{ and }} are braces
  --key-list s3://BUCKET/KEY   an object of the source's store with one key per line, instead of a listing
  --ledger-of STATE_DIR|UID    what another copy wrote or found there, by its ledger: a copy of this machine, or with
                        the UID of a PipelineRun its copy stage (--stage NAME where there are several; read through
                        the operator: -n, --namespace, --context, --server as for ebbflow results)
  --on-unmatched WHAT   fail (default), skip or copy a key that no --match fits
  --on-existing WHAT    skip-identical (default; fails where contents differ), fail or overwrite
  --on-empty WHAT       fail (default) or succeed when there is nothing to copy
  --move                delete each source after its copy was verified and recorded
  --dry-run             plan only: counts, bytes, first renames and every problem; nothing is written

How
  --verify HOW          etag (default), checksum (ask the store for checksums of whole objects) or sample (read a share
                        of the objects again on both sides and compare the bytes)
  --sample-percent N    the share for --verify sample, 1 to 100 (default 1)
  --max-failures N      so many objects may fail without failing the copy (default 0)
  --concurrency N       objects under way at a time (default 64); each in parts has up to eight requests
  --transfer HOW        auto (default), server-side or stream
  --multipart-threshold SIZE   copy larger objects in parts, such as 512Mi (default and most: 5Gi)
  --key-equivalence HOW auto (default: the store is asked), exact, posix, nfc, case-insensitive, posix-nfc or
                        posix-case-insensitive

Stores; each option also exists as --source-... and --destination-... for copies between two stores
  --endpoint URL        default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, else Amazon S3
  --region REGION       default: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1
  --addressing HOW      path or virtual; default: path with an endpoint, virtual without
  --profile NAME        profile of ~/.aws; default: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, else what the AWS SDK
                        finds (AWS_PROFILE, SSO, web identity, instance role). Secrets are never options

State and output
  --state DIR           where plan and ledger are kept (default: below ~/.local/state/ebbflow/copy, one per job)
  --new                 leave an unfinished run of this job alone, with any uploads in parts it left, and plan anew
  --json                print one result for programs on stdout; progress stays on stderr
  -q, --quiet           no progress (warnings stay)

Ctrl-C finishes and records what is under way, then ends; a second one ends at once. Both can be continued.

Exit codes
  0   done                                    10  refused: the plan has problems; nothing was written
  2   the command line is wrong               11  more objects failed than --max-failures; all others are done
  1   a fault of this program                 12  a store cannot be reached or goes on failing; try again later
                                              130 or 143  ended by Ctrl-C or SIGTERM; the same command goes on

ACLs, object locks and website redirects are not carried over; metadata, content headers, tags and storage classes are.
`;

export const VERIFY_USAGE = `ebbflow copy verify: check that every object of a finished copy is still there as it was copied

  ebbflow copy verify STATE_DIR [options]     a copy of this machine: the directory that ebbflow copy named at its end
  ebbflow copy verify UID [options]           a copy stage of a PipelineRun; its ledger is read through the operator

It needs the ledger and read access to the destination; with your own credentials, as for ebbflow copy. Sources are
read only where nothing else tells the bytes of a copy. Nothing is written.

  --level LEVEL         size (default): there, with the size and ETag of the ledger
                        checksum: and with the checksum of the whole object, or its bytes read where there is none
                        sample: and the bytes of a share of the objects read
  --percent N           the share for --level sample, 1 to 100 (default 1)
  --stage NAME          the copy stage, where a run has several
  --concurrency N       objects looked at at a time (default 32)
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
