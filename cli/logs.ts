/** `ebbflow logs`: entries as lines. Pure. */
import type { LogEntry } from '../workers/contract/resultsapi.ts';
import { escapeControls } from './printable.ts';

export interface LogStyle {
  timestamps: boolean;
  /** The reader is a terminal: control characters of the log are shown, not obeyed. */
  terminal: boolean;
}

/** The main containers need no name: there is one per worker. */
const UNNAMED = new Set(['main', 'copy']);

function placeOf({ stage, index, container }: { stage: string; index: number; container: string }): string {
  return UNNAMED.has(container) ? `${stage}/${index}` : `${stage}/${index} ${container}`;
}

/** One entry with its newline; an error ends the log. */
export function formatEntry(entry: LogEntry, style: LogStyle): string {
  if ('error' in entry)
    return `--- the log ends here: ${escapeControls(entry.error.message)} (${entry.error.code})\n`;
  if ('gap' in entry) {
    const from = entry.gap.from === undefined ? '' : ` after ${entry.gap.from}`;
    return `${placeOf(entry.gap)} | --- a part of this log is missing${from}: ${escapeControls(entry.gap.reason)}\n`;
  }
  const text = entry.text ?? Buffer.from(entry.base64 ?? '', 'base64').toString('latin1');
  const shown = style.terminal ? escapeControls(text) : text;
  const time = style.timestamps ? `${entry.time} ` : '';
  return `${time}${placeOf(entry)} | ${shown}\n`;
}
