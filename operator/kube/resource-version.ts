/**
 * Order of two resource versions of one resource type: negative, zero or positive, as in a sort. Versions are decimal
 * integers that may exceed what a number holds, so they compare by length, then digit by digit. Undefined when one
 * of them is not a plain integer: then there is no order and the caller must not guess one.
 */
export function compareResourceVersions(a: string, b: string): number | undefined {
  if (!integer.test(a) || !integer.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const integer = /^(?:0|[1-9]\d*)$/;
