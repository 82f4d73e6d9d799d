/**
 * The engine names fields of the API, because most of its users write a PipelineRun. Here the same sentences name
 * options. Pure.
 */
import { toFlagWord } from '../flags.ts';

const FIELDS: Readonly<Record<string, string>> = {
  onUnmatched: '--on-unmatched',
  onExisting: '--on-existing',
  onEmpty: '--on-empty',
  transfer: '--transfer',
  verify: '--verify',
  samplePercent: '--sample-percent',
  multipartThreshold: '--multipart-threshold',
  maxFailures: '--max-failures',
  keyEquivalence: '--key-equivalence',
};
const CHOICE = /\bcopy\.(\w+)(?: to|:)? ((?:[A-Z][A-Za-z]+)(?: or [A-Z][A-Za-z]+)?)/g;
const FIELD = /\bcopy\.(\w+)\b/g;

const PHRASES: readonly (readonly [RegExp, string])[] = [
  [/\bcopy\.(source|destination)\.bucket\b/g, 'the name in the $1'],
  [/\bcopy\.source\.keyList\b/g, '--key-list'],
  [/\bcopy\.source\.ledgerOf\b/g, '--ledger-of'],
  [/\bstage copy\b/g, 'the other copy'],
  [/\bcopy\.(source|destination)\.prefix\b/g, "the $1's prefix"],
  [/\bcopy\.source\b/g, 'the source'],
  [/\bcopy\.rename\b/g, '--match'],
  [/\badd a rule\b/g, 'add a --match'],
  [/\brename\[\d+\]\.(match|replace)\b/g, '--$1'],
  [/\bstore store \((\S+)\)/g, 'the store $1'],
  [/\bstore (source|destination) \((\S+)\)/g, "the $1's store $2"],
  [/\bstore (?:store|source|destination): /g, ''],
  [
    /give the store a secretRef, or give the stage's service account a workload identity/g,
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give --profile',
  ],
  [/correct (AWS_\w+) in the store's Secret/g, 'correct $1 or the profile'],
  [/, or the store's region/g, ', or --region'],
  [/set the store's endpoint and region to its own/g, 'give its own --endpoint and --region'],
  [/renew the store's Secret/g, 'renew them'],
  [
    /the clock of this node is wrong: set the node's time/g,
    'the clock of this machine is wrong: set its time',
  ],
  [/restore it before the run/g, 'restore it first'],
];

/** Keys stand in double quotes, as JSON has them, and are nobody's words. */
const QUOTED = /("(?:[^"\\]|\\.)*")/;

/** A sentence of the engine, for somebody at a command line. */
export function sayWithOptions(sentence: string): string {
  const pieces = sentence.split(QUOTED);
  return pieces.map((piece, index) => (index % 2 === 1 ? piece : translate(piece))).join('');
}

function translate(sentence: string): string {
  const choices = sentence.replaceAll(CHOICE, (whole, field: string, values: string) => {
    const option = FIELDS[field];
    return option === undefined ? whole : `${option} ${values.split(' or ').map(toFlagWord).join(' or ')}`;
  });
  const fields = choices.replaceAll(FIELD, (whole, field: string) => FIELDS[field] ?? whole);
  let said = fields;
  for (const [pattern, words] of PHRASES) said = said.replaceAll(pattern, words);
  return said;
}
