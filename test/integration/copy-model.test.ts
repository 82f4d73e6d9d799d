import { posix } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { contents, CopyBed, seed } from '../support/copybed.ts';
import { startJudge } from '../support/judge.ts';
import type { S3Server } from '../support/s3server.ts';

let gateway: S3Server;
let round = 0;

beforeAll(async () => {
  gateway = await startJudge();
  await gateway.createBucket('results');
});
afterAll(async () => gateway.stop());

/** A rule and what it means, said without any of the code under test. */
interface ModelRule {
  readonly match: string;
  readonly replace: string;
  readonly apply: (key: string, size: number) => string | undefined;
}

const lastPart = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

const rules: readonly ModelRule[] = [
  {
    match: '^(?<top>[^/]+)/(?<rest>[^]*)$',
    replace: '{rest}/{top}',
    apply: (key) => {
      const [top, ...rest] = key.split('/');
      return top === '' || rest.length === 0 ? undefined : `${rest.join('/')}/${top}`;
    },
  },
  { match: '[^]*', replace: '{key|lower}', apply: (key) => key.toLowerCase() },
  {
    match: 'a',
    replace: 'size={size}/{key}',
    apply: (key, size) => (key.includes('a') ? `size=${size}/${key}` : undefined),
  },
  {
    match: '/',
    replace: 'flat {stem}',
    apply: (key) => (key.includes('/') ? `flat ${posix.parse(lastPart(key)).name}` : undefined),
  },
  { match: '[^]', replace: '{{{key}}}', apply: (key) => `{${key}}` },
];

/** Signs that go wrong somewhere, and a few that do not. */
const signs = [...'aAbc01 +%?#&=\'"<>{}~.,;:@$!*()|^`\\é日\t'.split(''), '\u{1F600}', '\uFF5E'];
const segment = fc
  .array(fc.constantFrom(...signs), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join(''))
  .filter((text) => text !== '.' && text !== '..');
/** What a file store can hold. */
const pathKey = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'));
/** Any key at all. */
const anyKey = fc
  .array(fc.constantFrom(...signs, '/', '/', '//', '..', '\u0001', '\r\n', '\u007f', 'e\u0301', '\uFFFD'), {
    minLength: 1,
    maxLength: 10,
  })
  .map((parts) => parts.join(''));

function settingsFor(exact: boolean) {
  const objects = fc
    .dictionary(exact ? anyKey : pathKey, fc.string({ maxLength: 8 }), { maxKeys: 14 })
    .map((all) => {
      const names = Object.keys(all);
      const fits = (name: string): boolean => !names.some((other) => name.startsWith(`${other}/`));
      return new Map(Object.entries(all).filter(([name]) => exact || fits(name)));
    });
  return fc.record({
    objects,
    rule: fc.option(fc.constantFrom(...rules), { nil: undefined }),
    onUnmatched: fc.constantFrom('Fail', 'Skip', 'Copy'),
    prefixes: fc.constantFrom(['', ''], ['in/', 'out/'], ['2026 +/', 'x%y/z'] as const),
    mode: fc.constantFrom('Copy', 'Move'),
    workers: fc.constantFrom(1, 3),
  });
}

type Settings = ReturnType<typeof settingsFor> extends fc.Arbitrary<infer T> ? T : never;

/** The destination bucket that must come out, or undefined where the plan has to be refused. */
function expectedOf(
  { objects: source, rule, onUnmatched, prefixes }: Settings,
  exact: boolean,
): Map<string, string> | undefined {
  const result = new Map<string, string>();
  const [, prefix = ''] = prefixes;
  for (const [name, body] of source) {
    let renamed = rule === undefined ? name : rule.apply(name, Buffer.byteLength(body));
    if (renamed === undefined && onUnmatched === 'Fail') return undefined;
    if (renamed === undefined && onUnmatched === 'Skip') continue;
    renamed ??= name;
    if (result.has(prefix + renamed)) return undefined;
    result.set(prefix + renamed, body);
  }
  const paths = [...result.keys()].map((name) => posix.normalize(name).replace(/^\//, ''));
  const excluded = paths.some((a, i) => paths.some((b, j) => i !== j && (a === b || b.startsWith(`${a}/`))));
  return (excluded && !exact) || result.size === 0 ? undefined : result;
}

test('any objects and any rule: the bucket is what the model says, or nothing was written', async () => {
  const seen = { copied: 0, refused: 0 };
  const exact = gateway.capabilities.aliases === 'Exact';
  const property = fc.asyncProperty(settingsFor(exact), async (given) => {
    round += 1;
    const [from, to] = [`from-${round}`, `to-${round}`];
    await Promise.all([gateway.createBucket(from), gateway.createBucket(to)]);
    const bed = await CopyBed.create(gateway, 'results');
    try {
      const [sourcePrefix = '', destinationPrefix = ''] = given.prefixes;
      const source = new Map([...given.objects].map(([name, body]) => [sourcePrefix + name, body]));
      await seed(bed.client, from, source);
      const { rule, onUnmatched, mode, workers } = given;
      const stage: CopyStage = {
        source: { store: 'lake', bucket: from, prefix: sourcePrefix },
        destination: { store: 'lake', bucket: to, prefix: destinationPrefix },
        rename: rule === undefined ? [] : [{ match: rule.match, replace: rule.replace }],
        onUnmatched,
        mode,
      };
      const ended = await bed.run(stage, { workers });
      const others = Array.from({ length: bed.grants.workers - 1 }, (_, n) => n + 1);
      const codes = await Promise.all(
        others.map(async (index) => (await bed.run(stage, { index, workers })).code),
      );
      expect(codes).toEqual(others.map(() => EXIT.ok));
      const expected = expectedOf(given, exact);
      const found = await contents(bed.client, to);
      const left = await contents(bed.client, from);
      const bytes = (text: string) => Buffer.from(text).toString('latin1');
      seen[expected === undefined ? 'refused' : 'copied'] += 1;
      const wanted =
        expected === undefined
          ? { code: EXIT.planRefused, found: new Map(), left: source.size }
          : {
              code: EXIT.ok,
              found: new Map([...expected].map(([name, body]) => [name, bytes(body)])),
              left: source.size - (mode === 'Move' ? expected.size : 0),
            };
      expect({ code: ended.code, found, left: left.size }).toEqual(wanted);
    } finally {
      await bed.stop();
    }
  });
  await fc.assert(property, { numRuns: 60 });
  // The test is worth something only while both happen.
  expect(Math.min(seen.copied, seen.refused)).toBeGreaterThan(3);
});
