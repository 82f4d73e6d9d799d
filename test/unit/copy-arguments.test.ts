import { describe, expect, test } from 'vitest';
import { parseCopyCommand } from '../../cli/copy/arguments.ts';
import { parseVerifyCommand } from '../../cli/copy/verifyarguments.ts';
import { formatBar, type Progress } from '../../cli/copy/bar.ts';
import { VERIFY_OPTIONS, VERIFY_USAGE, COPY_USAGE, OPTIONS } from '../../cli/copy/options.ts';
import { resolveJob } from '../../workers/copy/job.ts';
import { PaceMeter } from '../../workers/copy/pace.ts';
import { PlanProblems } from '../../workers/copy/problems.ts';
import { checkRules } from '../../cli/copy/rules.ts';
import { resolveStores } from '../../cli/copy/stores.ts';
import { ThrottleMeter } from '../../cli/copy/throttling.ts';
import { sayWithOptions } from '../../cli/copy/words.ts';
import { enableLinearExpressions } from '../../workers/copy/linear.ts';

const both = ['s3://raw/2026/', 's3://lake/digits/'];

function parse(...args: string[]) {
  const command = parseCopyCommand(args);
  if (command.name !== 'copy') throw new Error('not a copy');
  return command;
}

describe('the command line', () => {
  test('takes the ledger of another copy from a directory or from a run, and no key list beside it', () => {
    const uid = '5e5c0a5e-0000-4000-8000-000000000001';
    expect(parse(...both, '--ledger-of', '/state/a').job.ledgerOf).toEqual({ directory: '/state/a' });
    expect(parse(...both, '--ledger-of', uid, '--stage', 's', '-n', 'ns').job.ledgerOf).toEqual({
      uid,
      stage: 's',
      connection: { namespace: 'ns', context: undefined, server: undefined },
    });
    expect(() => parse(...both, '--ledger-of', uid, '--key-list', 's3://raw/list')).toThrow(/not both/);
    expect(() => parse(...both, '--stage', 's', '--ledger-of', '/state/a')).toThrow(/--stage needs/);
  });

  test('is taken apart, with the defaults of the API', () => {
    expect(parse(...both)).toMatchObject({
      job: {
        source: { bucket: 'raw', prefix: '2026/' },
        destination: { bucket: 'lake', prefix: 'digits/' },
        rename: [],
        mode: 'Copy',
        onUnmatched: 'Fail',
        onExisting: 'SkipIdentical',
        verify: 'ETag',
      },
      maxFailures: 0,
      dryRun: false,
      anew: false,
      json: false,
    });
    expect(parse('plan', ...both).dryRun).toBe(true);
    expect(parse('s3://raw', 's3://lake/a//%2F').job.destination.prefix).toBe('a//%2F');
  });

  test('rules stand in pairs and keep their order', () => {
    const { job } = parse(...both, '--match', 'a', '--replace', '1', '--replace', '2', '--match', 'b');
    expect(job.rename).toEqual([
      { match: 'a', replace: '1' },
      { match: 'b', replace: '2' },
    ]);
  });

  test('choices are written as the API has them or in small letters', () => {
    for (const word of ['skip-identical', 'SkipIdentical'])
      expect(parse(...both, '--on-existing', word).job.onExisting).toBe('SkipIdentical');
    expect(parse(...both, '--verify', 'etag', '--transfer', 'server-side').job).toMatchObject({
      verify: 'ETag',
      transfer: 'ServerSide',
    });
    expect(parse(...both, '--key-equivalence', 'nfc').job.keyEquivalence).toBe('NFC');
  });

  test.each([
    [['s3://raw/'], /name a source and a destination/],
    [['raw', 's3://lake'], /the source "raw" is no location: write s3:\/\/bucket\/prefix/],
    [['s3://Raw', 's3://lake'], /names no bucket/],
    [[...both, 's3://third'], /is too much/],
    [[...both, '--match', 'a'], /1 --match and 0 --replace/],
    [[...both, '--on-existing', 'never'], /none of skip-identical, fail, overwrite/],
    [[...both, '--key-list', 's3://lists/'], /names no object/],
    [[...both, '--max-failures', '-1'], /max-failures/],
    [[...both, '--max-failures', '1.5'], /not a whole number from 0/],
    [[...both, '--concurrency', '0'], /from 1 to 1024/],
    [[...both, '--sample-percent', '5'], /needs --verify sample/],
    [[...both, '--endpoint', 'https://host/path'], /not http\(s\):\/\/host/],
    [[...both, '--access-key', 'x'], /^there is no option --access-key$/],
    [[...both, '--macth', 'x'], /^there is no option --macth; did you mean --match\?$/],
    [[...both, '--match'], /^--match needs a value$/],
    [[...both, '--match', '--replace'], /^--match needs a value, and --replace looks like an option: write/],
    [[...both, '--json=yes'], /^--json takes no value$/],
    [[...both, '-x'], /^there is no option -x$/],
  ])('%j is refused', (args, message) => {
    expect(() => parseCopyCommand(args)).toThrow(
      expect.objectContaining({ code: 'Usage', message: expect.stringMatching(message) }),
    );
  });

  test('the help names every option', () => {
    const unnamed = Object.keys(OPTIONS).filter(
      (option) => !/^(source|destination)-|^help$/.test(option) && !COPY_USAGE.includes(`--${option}`),
    );
    expect(unnamed).toEqual([]);
  });

  test('the help says how many objects are under way where nothing else is said', () => {
    enableLinearExpressions();
    const places = { source: { store: 's', bucket: 'a' }, destination: { store: 's', bucket: 'b' } };
    const { concurrency } = resolveJob(places, new PlanProblems());
    expect(COPY_USAGE).toContain(
      `--concurrency N       objects under way at a time (default ${concurrency})`,
    );
  });
});

describe('the command line of verify', () => {
  const uid = '5e5c0a5e-0000-4000-8000-000000000001';

  test('takes the UID of a run or a directory, and a level', () => {
    expect(parseVerifyCommand([uid, '--stage', 'arrange', '-n', 'flow'])).toMatchObject({
      target: { uid, stage: 'arrange', connection: { namespace: 'flow' } },
      level: { kind: 'Size' },
    });
    expect(parseVerifyCommand(['./state', '--level', 'sample', '--percent', '5'])).toMatchObject({
      target: { directory: './state' },
      level: { kind: 'Sample', percent: 5 },
    });
  });

  test.each([
    [[], /name the state directory of a copy, or the UID/],
    [['a', 'b'], /one is enough/],
    [['a', '--level', 'md5'], /none of size, checksum, sample/],
    [['a', '--percent', '5'], /needs --level sample/],
    [['a', '--level', 'sample', '--percent', '101'], /from 1 to 100/],
    [['a', '--move'], /^there is no option --move$/],
    [['a', '--server', 'foo'], /^--server "foo" is not http/],
  ])('%j is refused', (args, message) => {
    expect(() => parseVerifyCommand(args)).toThrow(
      expect.objectContaining({ code: 'Usage', message: expect.stringMatching(message) }),
    );
  });

  test('the help names every option', () => {
    const unnamed = Object.keys(VERIFY_OPTIONS).filter(
      (option) => !/^(source|destination)-|^help$/.test(option) && !VERIFY_USAGE.includes(`--${option}`),
    );
    expect(unnamed).toEqual([]);
  });
});

describe('stores', () => {
  const env = { AWS_ENDPOINT_URL: 'http://all:1/', AWS_REGION: 'eu-1', AWS_DEFAULT_REGION: 'eu-2' };

  test('options come before the variables of the AWS tools, empty ones are none', () => {
    const { stores } = parse(...both, '--region', 'mars-1');
    expect(resolveStores(stores, env).source).toEqual({
      endpoint: 'http://all:1',
      region: 'mars-1',
      addressing: 'Path',
      profile: undefined,
    });
    const bare = { AWS_ENDPOINT_URL_S3: '', AWS_REGION: '', AWS_DEFAULT_REGION: 'eu-2' };
    expect(resolveStores(parse(...both).stores, bare).source).toMatchObject({
      endpoint: undefined,
      region: 'eu-2',
      addressing: 'Virtual',
    });
  });

  test('two sides are one store only where everything is the same', () => {
    expect(resolveStores(parse(...both).stores, env).one).toBe(true);
    for (const option of ['endpoint', 'region', 'profile']) {
      const { stores } = parse(...both, `--destination-${option}`, 'http://other');
      expect(resolveStores(stores, env).one).toBe(false);
    }
  });
});

test('a wrong rule is shown with its place', () => {
  enableLinearExpressions();
  const show = (...rules: [string, string][]) =>
    checkRules(rules.map(([match, replace]) => ({ match, replace })));
  expect(() => show(['^(?<day>\\d+)', '{day}'])).not.toThrow();
  expect(() => show(['^(?<day>\\d+)', 'x/{night}'])).toThrow(
    /^--replace, character 3: unknown name \{night\}.*\n {2}x\/\{night\}\n {4}\^$/s,
  );
  expect(() => show(['a', 'b'], ['x(?=y)', 'b'])).toThrow(
    /^--match \(the 2nd\), character 2: look-around .*\n {2}x\(\?=y\)\n {3}\^$/s,
  );
});

test.each([
  [
    'delete it, or set copy.onExisting to SkipIdentical or Overwrite',
    'delete it, or set --on-existing skip-identical or overwrite',
  ],
  ['correct copy.source, or set copy.onEmpty to Succeed', 'correct the source, or set --on-empty succeed'],
  [
    'add a rule, or set copy.onUnmatched to Skip or Copy',
    'add a --match, or set --on-unmatched skip or copy',
  ],
  ['more than copy.maxFailures 3: x', 'more than --max-failures 3: x'],
  ['copy.multipartThreshold: 1 is not a size', '--multipart-threshold: 1 is not a size'],
  ['store store (http://h:1) denied', 'the store http://h:1 denied'],
  ['correct copy.source.keyList', 'correct --key-list'],
  ['correct copy.destination.bucket', 'correct the name in the destination'],
  [
    '"copy.onExisting to Overwrite" would become "a \\" copy.source", add a rule',
    '"copy.onExisting to Overwrite" would become "a \\" copy.source", add a --match',
  ],
])('%s', (engine, said) => {
  expect(sayWithOptions(engine)).toBe(said);
});

describe('the bar', () => {
  const progress: Progress = {
    objects: 500,
    totalObjects: 1000,
    bytes: 1024,
    totalBytes: 2048,
    failed: 0,
    throttled: 0.021,
    pace: { objectsPerSecond: 123.4, bytesPerSecond: 2048, secondsLeft: 65 },
  };

  test('has all figures where there is room, and never more than the width', () => {
    expect(formatBar(progress, 140)).toBe(
      '[###############...............]  500/1,000 objects  123/s  ETA 1m5s  1.0 KiB of 2.0 KiB  2.0 KiB/s  throttled 2.1 %',
    );
    for (let columns = 20; columns < 160; columns += 1)
      expect(formatBar(progress, columns).length).toBeLessThan(columns);
    expect(formatBar({ ...progress, failed: 3 }, 40)).toBe('500/1,000 objects  3 failed  123/s');
  });

  test('the throttled share is that of the last seconds, of all clients together', () => {
    const meter = new ThrottleMeter();
    const look = (time: number, sent: number, throttled: number) =>
      meter.measure(time, [{ traffic: { sent, throttled } }, { traffic: { sent, throttled: 0 } }]);
    expect(look(0, 0, 0)).toBeUndefined();
    expect(look(1000, 100, 50)).toBe(0.25);
    // A quiet spell later, what was long ago is forgotten.
    expect(look(20_000, 100, 50)).toBeUndefined();
    expect(look(21_000, 200, 50)).toBe(0);
    expect(look(22_000, 200, 60)).toBe(0.05);
  });

  test('the pace is that of the last seconds, and large objects count for more', () => {
    const meter = new PaceMeter();
    const GiB = 1024 ** 3;
    const total = { objects: 1000, bytes: 64 * GiB };
    expect(meter.measure({ time: 0, objects: 0, bytes: 0 }, total).secondsLeft).toBeUndefined();
    for (let second = 1; second <= 20; second += 1)
      meter.measure({ time: second * 1000, objects: second, bytes: 0 }, total);
    // Then ten seconds at 1 GiB/s: the slow start is forgotten.
    let pace = meter.measure({ time: 21_000, objects: 21, bytes: GiB }, total);
    for (let second = 22; second <= 32; second += 1)
      pace = meter.measure({ time: second * 1000, objects: second, bytes: (second - 20) * GiB }, total);
    expect(pace.bytesPerSecond).toBeCloseTo(GiB);
    expect(pace.objectsPerSecond).toBeCloseTo(1);
    // 968 objects and 52 GiB of 64 MiB pieces at 17 pieces a second.
    expect(pace.secondsLeft).toBeCloseTo((968 + 52 * 16) / 17);
  });
});
