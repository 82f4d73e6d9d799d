/** The `copy` member of a stage: copies and renames objects inside or between stores. */
import { z } from 'zod';
import type { Immutable } from './immutable.ts';
import { bucketName, formed } from './common.ts';
import { oneKeySource, rules, sampleNeedsVerify } from './rules.ts';
import { location, locationFields } from './stores.ts';

const renameRule = z.object({
  match: z
    .string()
    .min(1)
    .max(1024)
    .describe(
      'Regular expression with named groups, matched unanchored against the key after source.prefix. It must run in linear time: no look-around and no back-references.',
    ),
  replace: z
    .string()
    .min(1)
    .max(1024)
    .describe(
      'The whole new key after destination.prefix. {group} inserts a named group; {key} {dir} {stem} {ext} {size} {date:YYYY-MM-DD} {hash:4} insert facts of the object; filters: {x|lower} {x|upper} {x|pad:6}; {{ and }} are literal braces.',
    ),
});

export const copyStage = z
  .object({
    source: z
      .object({
        ...locationFields,
        keyList: z
          .object({
            bucket: bucketName,
            key: z
              .string()
              .min(1)
              .max(1024)
              .describe('Key of the list: one whole source key per line, in UTF-8, with LF line ends.'),
          })
          .optional()
          .describe(
            'Takes the keys from an object of the same store instead of a listing. All of them must exist and start with prefix; repeated ones count once.',
          ),
        ledgerOf: z
          .string()
          .min(1)
          .max(63)
          .optional()
          .describe(
            'Takes the objects under prefix that an earlier copy stage of this run wrote or found in place: the name of that stage. A pod cannot read the ledger of another run; a plan that names one by its UID is refused.',
          ),
      })
      .meta(rules(oneKeySource))
      .describe('Where objects come from.'),
    destination: location.describe('Where objects go.'),
    rename: z
      .array(renameRule)
      .max(32)
      .optional()
      .describe('Rules in order; the first that matches a key wins. Default: keys are kept.'),
    mode: z
      .enum(['Copy', 'Move'])
      .optional()
      .describe('Move deletes each source object after its copy was verified and recorded. Default: Copy.'),
    onUnmatched: z
      .enum(['Fail', 'Skip', 'Copy'])
      .optional()
      .describe('What to do with a key that no rule matches. Default: Fail.'),
    onExisting: z
      .enum(['SkipIdentical', 'Fail', 'Overwrite'])
      .optional()
      .describe(
        'What to do when the destination key exists. SkipIdentical fails where the contents differ. Default: SkipIdentical.',
      ),
    onEmpty: z
      .enum(['Fail', 'Succeed'])
      .optional()
      .describe('Outcome when the source holds no object. Default: Fail.'),
    keyEquivalence: z
      .enum(['Auto', 'Exact', 'Posix', 'NFC', 'CaseInsensitive', 'PosixNFC', 'PosixCaseInsensitive'])
      .optional()
      .describe('Which different keys the destination takes for one. Auto asks the endpoint. Default: Auto.'),
    transfer: z
      .enum(['Auto', 'ServerSide', 'Stream'])
      .optional()
      .describe(
        'Whether bytes stay inside the store or stream through the worker. Auto: server-side inside one store, else streamed. Default: Auto.',
      ),
    multipartThreshold: formed(32, /^[0-9]+(Ki|Mi|Gi)?$/, 'must be a size such as 512Mi or 5Gi')
      .optional()
      .describe('Objects above this size are copied in parts. Default and maximum: 5Gi.'),
    verify: z
      .enum(['ETag', 'Checksum', 'Sample'])
      .optional()
      .describe(
        'How a copy is verified beyond its size. ETag: by the ETag that the store answers. Checksum: by a checksum of the whole object that the store has for both sides; where it has none in common, both are read again. Sample: a share of the objects is read again on both sides. Default: ETag.',
      ),
    samplePercent: z
      .int32()
      .min(1)
      .max(100)
      .optional()
      .describe('Share of the objects that verify: Sample reads again, in per cent. Default: 1.'),
    maxFailures: z
      .int32()
      .min(0)
      .optional()
      .describe('Number of objects that may fail without failing the stage. Default: 0.'),
    dryRun: z.boolean().optional().describe('Plan only: nothing is written. Default: false.'),
  })
  .meta(rules(sampleNeedsVerify))
  .describe(
    'Copies and renames objects on the server side, after proving that the whole plan is free of collisions.',
  );

export type CopyStage = Immutable<z.infer<typeof copyStage>>;
