/**
 * Exit codes of our containers. They decide whether the Job controller tries again, so that a plan that can never
 * succeed does not run four times.
 */
export const EXIT = {
  ok: 0,
  /** The environment or the spec is wrong: a fault of ours. */
  misconfigured: 2,
  /** The copy cannot be done as written, or a store refuses it, perhaps in its middle: then what was copied is in the ledger. Never retried. */
  planRefused: 10,
  /** More objects of this worker failed than maxFailures allows, after all its rows ran. Never retried. */
  tooManyFailures: 11,
  /** A store or the worker API could not be reached long enough, or throttled. Retried. */
  unavailable: 12,
  /** An input could not be fetched. */
  inputFailed: 13,
  /** An output could not be stored. */
  outputFailed: 14,
  /** Another pod was admitted for this worker, or this one was fenced. */
  notAdmitted: 15,
  /** The user's command ended with an error, was killed, or never started. */
  commandFailed: 16,
  /** Ended by SIGTERM after saving its state. */
  terminated: 143,
} as const;

/** Codes after which no worker of a copy can succeed (podFailurePolicy FailJob), in ascending order. */
export const HOPELESS_EXIT_CODES = [EXIT.misconfigured, EXIT.planRefused] as const;
