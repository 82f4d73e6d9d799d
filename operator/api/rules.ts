/**
 * Rules between fields, in CEL. The API server runs them; {@link validateSpec} holds the same rules in code, with the
 * same messages, for those who have no API server at hand.
 */
export interface Rule {
  rule: string;
  message: string;
}

/** Rules on the whole object. */
export const objectRules: readonly Rule[] = [
  {
    rule: 'self.metadata.name.size() <= 63',
    message: 'metadata.name must have at most 63 characters: choose a shorter name',
  },
];
