/**
 * The rename grammar of a copy stage. A rule is a linear-time regular expression on the key after `source.prefix` and
 * a template for the whole key after `destination.prefix`; the first rule that matches wins.
 *
 * The expressions need V8's linear engine, which a process switches on at its edge (workers/copy/linear.ts).
 */
import { locateFault } from './fault.ts';
import { parseTemplate, render, reservedNames, type ObjectFacts, type Template } from './template.ts';

/** A rule as the user writes it. */
export interface RuleText {
  readonly match: string;
  readonly replace: string;
}

/** What is wrong with a rule. `message` is a whole sentence with the place and what to change. */
export interface RuleProblem {
  /** 0-based. */
  readonly rule: number;
  readonly field: 'match' | 'replace';
  /** 0-based character in the field. */
  readonly position: number;
  readonly message: string;
}

interface Rule {
  readonly expression: RegExp;
  readonly template: Template;
}

/** Rules that were parsed without a problem. */
export interface Rules {
  readonly rules: readonly Rule[];
}

export type ParsedRules =
  | { readonly ok: true; readonly rules: Rules }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] };

/** The process did not switch V8's linear engine on: a fault of the program, never of the rules. */
export class LinearEngineMissing extends Error {
  override readonly name = 'LinearEngineMissing';
  readonly code = 'LinearEngineMissing';
}

/** Parses all rules and names every problem. The operator and the worker both call this, with the same answers. */
export function parseRules(texts: readonly RuleText[]): ParsedRules {
  requireLinearEngine();
  const rules: Rule[] = [];
  const problems: RuleProblem[] = [];
  for (const [index, text] of texts.entries()) {
    const rule = parseRule(text);
    if ('expression' in rule) {
      rules.push(rule);
    } else {
      const { field, position, message } = rule;
      const place = `rename[${index}].${field}, character ${position + 1}`;
      problems.push({ rule: index, field, position, message: `${place}: ${message}` });
    }
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, rules: { rules } };
}

/** The new key (after `destination.prefix`) and the rule that made it, or undefined when no rule matches. */
export function rename(rules: Rules, facts: ObjectFacts): { key: string; rule: number } | undefined {
  for (const [index, rule] of rules.rules.entries()) {
    const match = rule.expression.exec(facts.key);
    if (match !== null) return { key: render(rule.template, facts, match.groups ?? {}), rule: index };
  }
  return undefined;
}

function requireLinearEngine(): void {
  try {
    compileLinear('a');
  } catch {
    throw new LinearEngineMissing('call enableLinearExpressions() before rules are parsed');
  }
}

/** V8's own flag, outside the standard: accept only what its linear engine can run, and run it there. */
const linearFlag = 'l';

function compileLinear(source: string): RegExp {
  return new RegExp(source, linearFlag);
}

type Problem = Omit<RuleProblem, 'rule'>;

function parseRule({ match, replace }: RuleText): Rule | Problem {
  const refused = findRefused(match);
  if (refused !== undefined) return { field: 'match', ...refused };
  let expression: RegExp;
  try {
    expression = new RegExp(match);
  } catch (error) {
    const said = error instanceof Error ? error.message.replace(/^.*\/: /s, '') : 'unknown';
    return {
      field: 'match',
      position: locateFault(match, (source) => new RegExp(source)),
      message: `not a regular expression (${said}); put a backslash before signs that are meant literally`,
    };
  }
  try {
    compileLinear(match);
  } catch {
    return {
      field: 'match',
      position: locateFault(match, compileLinear),
      message: 'cannot run in linear time; write large counted repetitions such as {1,1000} as + or *',
    };
  }
  const groups = groupNames(match);
  const reserved = [...groups].find((name) => reservedNames.has(name));
  if (reserved !== undefined) {
    const position = match.indexOf(`(?<${reserved}>`);
    return { field: 'match', position, message: `{${reserved}} has a meaning of its own; rename this group` };
  }
  const template = parseTemplate(replace, groups);
  return 'message' in template ? { field: 'replace', ...template } : { expression, template };
}

function groupNames(source: string): ReadonlySet<string> {
  // The empty alternative always matches, and a match lists all groups.
  return new Set(Object.keys(new RegExp(`(?:${source})|`).exec('')?.groups ?? {}));
}

const lookAround =
  'look-around is not linear-time; match the text itself and leave it out of the groups you use';
const backReference = 'back-references are not linear-time; write the expression without repeating a group';
const modifiers = 'inline flags are not supported; write both cases, such as [Jj][Pp][Gg]';

/** Finds what the linear engine must refuse, to be able to say it in words and with its place. */
function findRefused(source: string): { position: number; message: string } | undefined {
  let inClass = false;
  for (let at = 0; at < source.length; at += 1) {
    const character = source.charAt(at);
    if (character === '\\') {
      const next = source.charAt(at + 1);
      if (!inClass && (/[1-9]/.test(next) || source.startsWith('k<', at + 1))) {
        return { position: at, message: backReference };
      }
      at += 1;
    } else if (inClass) {
      inClass = character !== ']';
    } else if (character === '[') {
      inClass = true;
    } else if (character === '(' && source.charAt(at + 1) === '?') {
      if (/^\(\?<?[=!]/.test(source.slice(at, at + 4))) return { position: at, message: lookAround };
      if (/^\(\?[a-z-]/.test(source.slice(at, at + 3))) return { position: at, message: modifiers };
    }
  }
  return undefined;
}
