/**
 * Where a regular expression is wrong. The engine only says what is: so the longest beginning is looked for that it
 * takes once its groups are closed, and what follows is the fault. Pure.
 */

/** 0-based position of the fault in an expression that `compile` throws for. */
export function locateFault(source: string, compile: (source: string) => unknown): number {
  for (let end = source.length; end > 0; end -= 1) {
    const begin = source.slice(0, end);
    const open = openBrackets(begin);
    const closed = begin + open.map(({ close }) => close).join('');
    // All of it is right but for what is never closed.
    if (takes(compile, closed)) return end < source.length ? end : (open[0]?.position ?? 0);
  }
  return 0;
}

function takes(compile: (source: string) => unknown, source: string): boolean {
  try {
    compile(source);
    return true;
  } catch {
    return false;
  }
}

interface OpenBracket {
  readonly position: number;
  readonly close: ')' | ']';
}

/** Brackets without an end, the innermost first. */
function openBrackets(source: string): readonly OpenBracket[] {
  const open: OpenBracket[] = [];
  for (let at = 0; at < source.length; at += 1) {
    const character = source.charAt(at);
    const inClass = open[0]?.close === ']';
    if (character === '\\') at += 1;
    else if (inClass ? character === ']' : character === ')') open.shift();
    else if (!inClass && character === '[') open.unshift({ position: at, close: ']' });
    else if (!inClass && character === '(') open.unshift({ position: at, close: ')' });
  }
  return open;
}
