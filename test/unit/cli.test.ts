import { expect, test } from 'vitest';
import { parseCommand } from '../../cli/arguments.ts';
import { formatBytes, formatDuration, formatTable, formatUnits } from '../../cli/format.ts';
import { formatEntry } from '../../cli/logs.ts';
import { explainKubectl } from '../../cli/kubectlwords.ts';
import { escapeControls } from '../../cli/printable.ts';

const UID = '5e5c0a5e-0000-4000-8000-000000000001';

test('commands are taken apart', () => {
  expect(parseCommand(['logs', UID, '--worker', '3', '-f'])).toMatchObject({
    name: 'logs',
    uid: UID,
    filter: { index: '3' },
    follow: true,
    connection: { namespace: 'ebbflow-system' },
  });
  expect(parseCommand(['results', 'list', '--run-namespace', 'team', '-n', 'flow'])).toMatchObject({
    name: 'list',
    filter: { namespace: 'team' },
    connection: { namespace: 'flow' },
  });
  expect(parseCommand(['results', 'list', '--result', 'failed', '--limit', '7'])).toMatchObject({
    filter: { result: 'Failed' },
    limit: '7',
  });
  expect(parseCommand([])).toMatchObject({ name: 'help' });
  expect(parseCommand(['--version'])).toMatchObject({ name: 'version' });
});

test.each([
  [['results']],
  [['result', 'list']],
  [['results', 'show']],
  [['results', 'show', 'x']],
  [['logs', UID, UID]],
  [['logs', UID, '--limit', '3']],
  [['logs', UID, '--unknown']],
])('%j is refused with the command to type next', (args) => {
  expect(() => parseCommand(args)).toThrow(
    expect.objectContaining({ code: 'Usage', next: expect.stringMatching(/^ebbflow /) }),
  );
});

test.each([
  [['results'], 'results alone is no command: write results list, results show UID or results failures UID'],
  [['results', 'nope'], /^there is no command results nope: write results list, /],
  [['results', 'list', 'more'], 'results list takes no "more"'],
  [['nope'], 'there is no command nope: there are copy, results and logs'],
  [['logs', UID, '--workers', '3'], 'there is no option --workers; did you mean --worker?'],
  [['logs', UID, '--zzz'], 'there is no option --zzz'],
  [['logs', UID, '--toString'], 'there is no option --toString'],
  [['logs', UID, '-x'], 'there is no option -x'],
  [['logs', UID, '--stage'], '--stage needs a value'],
  [
    ['logs', UID, '-c', '-f'],
    '-c needs a value, and -f looks like an option: write --container=-f if it is meant',
  ],
  [['logs', UID, '--follow=1'], '--follow takes no value'],
  [['results', 'list', '--follow'], '--follow is no option of results list'],
  [['results', 'list', '--limit', 'abc'], '--limit "abc" is not a whole number from 1 to 500'],
  [['results', 'list', '--result', 'bogus'], '--result "bogus" is none of succeeded, failed, canceled'],
  [['results', 'list', '--server', 'foo'], '--server "foo" is not http(s)://host or http(s)://host:port'],
  [['results', 'list', '--server', 'http://a:99999'], /^--server "http:\/\/a:99999" is not http/],
  [['results', 'list', '--pipeline', 'A b'], /^--pipeline "A b" is no name/],
  [['logs', UID, '--worker', 'x'], '--worker "x" is not a whole number from 0 to 1000000'],
])('what is wrong in %j is said in one sentence, before anything is asked', (args, message) => {
  const next = 'ebbflow --help';
  expect(() => parseCommand(args)).toThrow(expect.objectContaining({ code: 'Usage', next }));
  expect(() => parseCommand(args)).toThrow(message);
});

const contexts = 'kubectl config get-contexts';
test.each([
  [
    'E1127 memcache.go\nThe connection to the server localhost:8080 was refused - did you specify the right host or port?\n',
    /^kubectl knows no cluster: set KUBECONFIG .* --context$/,
    contexts,
  ],
  ['error: context "foo" does not exist\n', /--context: context "foo" does not exist$/, contexts],
  [
    'Error in configuration: context was not found for specified context: foo\n',
    /^kubectl does not know the context/,
    contexts,
  ],
  [
    'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?',
    /^kubectl does not reach the cluster, which KUBECONFIG and --context choose: .*10\.0\.0\.1:6443/,
    contexts,
  ],
  [
    'error: You must be logged in to the server (Unauthorized)',
    /^You must be logged in to the server \(Unauthorized\)$/,
    'kubectl --namespace=flow get pods',
  ],
])(
  'what kubectl says, %j, is told with a command that does not fail the same way',
  (words, message, next) => {
    expect(explainKubectl(words, '--namespace=flow')).toEqual({
      message: expect.stringMatching(message),
      next,
    });
  },
);

test('nothing in a log can move the cursor, ring a bell, turn the text or hide in it', () => {
  expect(escapeControls('\u001b[2J\u0007\r\u0000\u009b\u202e\u200bplain\tü')).toBe(
    '\\x1b[2J\\x07\\r\\x00\\x9b\\u202e\\u200bplain\tü',
  );
  const entry = {
    time: 't',
    stage: 'train',
    index: 0,
    attempt: 1,
    container: 'agent',
    text: '\u001b[31mred',
  };
  expect(formatEntry(entry, { timestamps: false, terminal: true })).toBe('train/0 agent | \\x1b[31mred\n');
  expect(formatEntry(entry, { timestamps: false, terminal: false })).toBe('train/0 agent | \u001b[31mred\n');
});

test('times and sizes are short', () => {
  expect([0, 12, 60, 61, 3600, 3661, 90_061].map(formatDuration)).toEqual([
    '0s',
    '12s',
    '1m',
    '1m1s',
    '1h',
    '1h1m',
    '1d1h',
  ]);
  expect([0, 1023, 1536, 1024 ** 3].map(formatBytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '1.0 GiB']);
  expect([0, 1, 2].map((lines) => formatUnits(lines, 'line'))).toEqual(['0 lines', '1 line', '2 lines']);
  expect(
    formatTable(
      ['A', 'B'],
      [
        ['1', ''],
        ['22', '3'],
      ],
    ),
  ).toBe('A   B\n1\n22  3\n');
});
