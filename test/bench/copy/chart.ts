import { contenderNames, type SetResult } from './rows.ts';

/** One group of bars per set of objects. */
interface Panel {
  readonly title: string;
  readonly groups: readonly { readonly name: string; readonly bars: readonly number[] }[];
}

const colours = ['#0b7285', '#adb5bd', '#ced4da'] as const;
const [width, barHeight, gap, left, top] = [420, 16, 14, 70, 44] as const;

/** Rates and CPU beside s5cmd's, as one SVG: s5cmd is 1 everywhere. Pure. */
export function drawChart(results: readonly SetResult[]): string {
  const panels: readonly Panel[] = [
    { title: 'objects per second, s5cmd = 1 (more is better)', groups: results.map(ratesOf) },
    { title: 'client CPU per object, s5cmd = 1 (less is better)', groups: results.map(cpusOf) },
  ];
  const groupHeight = contenderNames.length * barHeight + gap;
  const height = top + results.length * groupHeight + 10;
  const drawn = panels.map((panel, index) => drawPanel(panel, index * (width + 20), groupHeight)).join('');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * width + 20} ${height}" font-family="sans-serif" font-size="12">` +
    `<rect width="100%" height="100%" fill="#fff"/>${drawn}</svg>\n`
  );
}

function ratesOf({ set, of }: SetResult): Panel['groups'][number] {
  const bars = contenderNames.map((name) => of[name].objectsPerSecond / of.s5cmd.objectsPerSecond);
  return { name: set, bars };
}

function cpusOf({ set, of }: SetResult): Panel['groups'][number] {
  return { name: set, bars: contenderNames.map((name) => of[name].cpuMsPerObject / of.s5cmd.cpuMsPerObject) };
}

function drawPanel({ title, groups }: Panel, x: number, groupHeight: number): string {
  const most = Math.max(1, ...groups.flatMap(({ bars }) => bars));
  const room = width - left - 110;
  const parts = [text(x + left, 22, title, 'font-weight="bold"')];
  for (const [row, { name, bars }] of groups.entries()) {
    const y = top + row * groupHeight;
    parts.push(text(x + left - 8, y + 1.5 * barHeight + 4, name, 'text-anchor="end"'));
    for (const [index, bar] of bars.entries()) {
      const [at, long] = [y + index * barHeight, Math.max(1, (room * bar) / most)];
      const size = `x="${x + left}" y="${at}" width="${long.toFixed(1)}" height="${barHeight - 2}"`;
      parts.push(`<rect ${size} fill="${colours[index] ?? '#000'}"/>`);
      parts.push(text(x + left + long + 5, at + 11, `${contenderNames[index]} ${bar.toFixed(2)}`, ''));
    }
  }
  return parts.join('');
}

function text(x: number, y: number, words: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y}" fill="#212529" ${attributes}>${words}</text>`;
}
