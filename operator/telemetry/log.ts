/** The log of the operator: lines of JSON with constant sentences; what looks like a secret is masked. */
import { pino, stdTimeFunctions, type DestinationStream, type Logger as Pino } from 'pino';
import type { LogFields, Logger } from '../kube/logger.ts';
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
 * One JSON object per line: `level`, `time` (RFC 3339, UTC), `service`, the fields, `msg`. The message is a constant,
 * so that lines can be counted by it; what varies is a field. Fields whose name or text looks like a secret are
 * masked, at every depth.
 */
export function createLogger({ level, stream, base = {} }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service: 'ebbflow', ...redactFields(base) },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    // Errors are already plain and masked when they get here.
    serializers: { err: (error: unknown) => error },
  };
  return wrap(stream === undefined ? pino(options) : pino(options, stream));
}

/** pino's own hooks miss what a child logger carries, so the masking stands in front of it. */
function wrap(logger: Pino): Logger {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: LogFields, message: string): void => {
      if (logger.isLevelEnabled(level)) logger[level](redactFields(fields), message);
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => wrap(logger.child(redactFields(fields))),
  };
}
