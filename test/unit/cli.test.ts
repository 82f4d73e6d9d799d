import { expect, test } from 'vitest';
import { parseCommand } from '../../cli/arguments.ts';
import { formatBytes, formatDuration, formatTable } from '../../cli/format.ts';
import { formatEntry } from '../../cli/logs.ts';
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
  expect(parseCommand([])).toMatchObject({ name: 'help' });
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
