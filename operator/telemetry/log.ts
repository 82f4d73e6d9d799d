import { pino, stdTimeFunctions, type DestinationStream } from 'pino';
import type { Logger } from '../kube/logger.ts';
import { redactFields } from './redact.ts';

export type { LogFields, Logger } from '../kube/logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  level: LogLevel;
  /** Where lines go; standard output unless given. */
  stream?: DestinationStream;
  /** Fields of every line beside `service`. */
  base?: Readonly<Record<string, string>>;
}

/**
 * One JSON object per line: `time` (RFC 3339, UTC), `level`, `service`, `msg`, then the fields. The message is a
 * constant, so that lines can be counted by it; what varies is a field. Fields whose name or text looks like a
 * secret are masked, at every depth.
 */
export function createLogger({ level, stream, base = {} }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service: 'ebbflow', ...base },
    timestamp: stdTimeFunctions.isoTime,
    // pino's own serializer of `err` would come after the redaction and bring the unmasked stack back.
    serializers: {},
    formatters: {
      level: (label: string) => ({ level: label }),
      bindings: redactFields,
      log: redactFields,
    },
  };
  return stream === undefined ? pino(options) : pino(options, stream);
}
