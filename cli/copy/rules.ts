/** Rename rules of the command line, checked before anything else, with a finger on the place. */
import { parseRules } from '../../workers/contract/rename.ts';
import { CliError } from '../errors.ts';
import { escapeControls } from '../printable.ts';

type RuleText = { readonly match: string; readonly replace: string };

/**
 * The process must have V8's linear engine switched on (workers/copy/linear.ts).
 * @throws CliError that shows the first problem's place in its rule.
 */
export function checkRules(rules: readonly RuleText[]): void {
  const parsed = parseRules(rules);
  const problem = parsed.ok ? undefined : parsed.problems[0];
  if (problem === undefined) return;
  const { field, position, message } = problem;
  const rule = rules[problem.rule];
  const which = rules.length > 1 ? ` (the ${ordinal(problem.rule)})` : '';
  const text = rule === undefined ? '' : rule[field];
  const sentence = message.replace(/^rename\[\d+\]\.\w+, /, '');
  throw new CliError('Usage', `--${field}${which}, ${sentence}\n${pointAt(text, position)}`, {
    next: 'ebbflow copy --help',
  });
}

/** The rule, and below it a caret at the place. */
export function pointAt(text: string, position: number): string {
  const before = escapeControls(text.slice(0, position));
  return `  ${before}${escapeControls(text.slice(position))}\n  ${' '.repeat(before.length)}^`;
}

function ordinal(index: number): string {
  const number = index + 1;
  const suffix = ['th', 'st', 'nd', 'rd'][number % 10] ?? 'th';
  return `${number}${number % 100 >= 11 && number % 100 <= 13 ? 'th' : suffix}`;
}
