/** Tables, times and sizes for people. */
import { escapeControls } from './printable.ts';

/** Columns as wide as their widest cell, two spaces between them, nothing behind the last. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(escapeControls));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** The two largest units: `2d3h`, `5m10s`, `12s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const units: [string, number][] = [
    ['d', Math.floor(whole / 86_400)],
    ['h', Math.floor(whole / 3600) % 24],
    ['m', Math.floor(whole / 60) % 60],
    ['s', whole % 60],
  ];
  const first = units.findIndex(([, count]) => count > 0);
  if (first < 0) return '0s';
  return units
    .slice(first, first + 2)
    .filter(([, count], position) => count > 0 || position === 0)
    .map(([unit, count]) => `${count}${unit}`)
    .join('');
}

export function formatAge(time: string, now: Date): string {
  return `${formatDuration((now.getTime() - Date.parse(time)) / 1000)} ago`;
}

/** Between two times; `-` when one is missing. */
export function formatSpan(from: string | undefined, to: string | undefined): string {
  return from === undefined || to === undefined
    ? '-'
    : formatDuration((Date.parse(to) - Date.parse(from)) / 1000);
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `1 line`, `2 lines`. */
export function formatUnits(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? '' : 's'}`;
}

/** `1,234,567`. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}
