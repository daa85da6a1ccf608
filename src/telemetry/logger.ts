import { asyncLocalStorage } from '@temporalio/activity';
import { isSpanContextValid, trace } from '@opentelemetry/api';
import type { DestinationStream, Logger } from 'pino';
import pino from 'pino';
import { isChimeraError } from '../contracts/errors.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface LoggerOptions {
  level: LogLevel;
  /** Name of the process: gateway, worker-io, … */
  name: string;
  /** Default: standard error, so that standard output stays for data. */
  destination?: DestinationStream;
}

/** Never written, wherever they stand in a log object. */
const SECRETS = ['apiKey', 'authorization', 'password', 'secretAccessKey', 'sessionToken', 'encryptionKeys'];

/**
 * A structured JSON log. Every line carries the trace and, in an activity, the workflow, run and activity it belongs
 * to. Bind more with `logger.child({project})`.
 */
export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      name: options.name,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRETS.flatMap((key) => [key, `*.${key}`]), censor: '[secret]' },
      serializers: { err: serializeError },
      mixin: contextIds,
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** IDs of where the caller is: the trace, and the activity when in one. */
export function contextIds(): Record<string, unknown> {
  const span = trace.getActiveSpan()?.spanContext();
  const traced = span && isSpanContextValid(span) ? { traceId: span.traceId, spanId: span.spanId } : {};
  const activity = asyncLocalStorage.getStore()?.info;
  if (!activity) return traced;
  return {
    ...traced,
    workflowId: activity.workflowExecution?.workflowId,
    runId: activity.workflowExecution?.runId,
    activity: activity.activityType,
    attempt: activity.attempt,
  };
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const known = isChimeraError(error) ? { code: error.code, details: error.details } : {};
  return { type: error.name, message: error.message, stack: error.stack, ...known };
}
