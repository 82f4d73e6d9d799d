/** Where a copy says what people may want to know. A pino logger is one; the command line has its own. */
export interface CopyLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}
