/** Text of others, made safe to be shown on a terminal: nothing in it can move the cursor or pretend to be us. */

/** Control characters, and those that turn the direction of writing or cannot be seen. */
const UNSAFE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

const SHORT: Readonly<Record<string, string>> = { '\t': '\t', '\n': '\\n', '\r': '\\r' };

export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const long =
      code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
    return SHORT[character] ?? long;
  });
}
