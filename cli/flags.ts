/** Options as every command takes them; what is wrong with one is said in one sentence, with the help to read. Pure. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { CliError } from './errors.ts';
import { nearest } from './nearest.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<T extends Options> = ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>>;

export type FlagReader = ReturnType<typeof flagReader>;

/** Reads the options of one command. Everything throws a CliError that names `help`, a whole command line. */
export function flagReader(help: string) {
  const wrong = (message: string): CliError => new CliError('Usage', message, { next: help });
  return {
    /** The error for a command line that is wrong in this way. */
    wrong,

    parse<const T extends Options>(args: readonly string[], options: T): Parsed<T> {
      const problem = findProblem(args, options);
      if (problem !== undefined) throw wrong(problem);
      return parseArgs({ args: [...args], options, allowPositionals: true });
    },

    /** One of the API's words, written its way or in lower case with dashes. */
    choose<T extends string>(option: string, text: string, words: readonly [T, ...T[]]): T {
      const found = words.find((word) => word === text || toFlagWord(word) === text.toLowerCase());
      if (found !== undefined) return found;
      const known = words.map(toFlagWord).join(', ');
      throw wrong(`--${option} ${JSON.stringify(text)} is none of ${known}`);
    },

    /** A whole number in bounds. */
    count(option: string, text: string | undefined, least: number, most = MOST): number | undefined {
      if (text === undefined) return undefined;
      const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= least && value <= most) return value;
      const range = most === MOST ? `from ${least}` : `from ${least} to ${most}`;
      throw wrong(`--${option} ${JSON.stringify(text)} is not a whole number ${range}`);
    },

    /** What may be the name of something in the cluster. */
    name(option: string, text: string | undefined): string | undefined {
      if (text === undefined || NAME.test(text)) return text;
      throw wrong(
        `--${option} ${JSON.stringify(text)} is no name: write small letters, digits, dashes and dots`,
      );
    },

    /** Address of a server, without a path. */
    address(option: string, text: string | undefined): string | undefined {
      if (text === undefined || (ADDRESS.test(text) && URL.canParse(text))) return text;
      throw wrong(`--${option} ${JSON.stringify(text)} is not http(s)://host or http(s)://host:port`);
    },
  };
}

const MOST = 2 ** 31 - 1;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const ADDRESS = /^https?:\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\/?$/;

/** `SkipIdentical` is `skip-identical` on the command line; `ETag` and `NFC` stay one word. */
export function toFlagWord(word: string): string {
  return word.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
}

/** The first option that cannot be meant. Node's own words for it are several sentences, about what nobody asked. */
function findProblem(args: readonly string[], options: Options): string | undefined {
  const { tokens } = parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    const known = Object.hasOwn(options, name) ? options[name] : undefined;
    if (known === undefined) return `there is no option ${rawName}${suggest(rawName, name, options)}`;
    if (known.type === 'boolean') {
      if (value !== undefined) return `${rawName} takes no value`;
    } else if (value === undefined) return `${rawName} needs a value`;
    // What begins with a dash is more likely the next option than the value of this one.
    else if (!inlineValue && /^-./.test(value))
      return `${rawName} needs a value, and ${value} looks like an option: write --${name}=${value} if it is meant`;
  }
  return undefined;
}

function suggest(rawName: string, name: string, options: Options): string {
  const meant = rawName.startsWith('--') ? nearest(name, Object.keys(options)) : undefined;
  return meant === undefined ? '' : `; did you mean --${meant}?`;
}
