/**
 * Every condition type and every reason, once, with its sentence. docs/reference is made from these tables.
 */

export const CONDITIONS = {
  Succeeded:
    'Unknown while the run is going on, then True or False. Never terminal before the record of the run is stored.',
  LogsStored: 'True when the log of every worker and the record of the run are in the results store.',
  ResourcesDeleted: 'True when no Job and no pod of the run exists any more.',
} as const;
export type ConditionType = keyof typeof CONDITIONS;

/** Reasons of the conditions of a run. */
export const RUN_REASONS = {
  Pending: 'The operator has taken the run on; no stage has started yet.',
  Running: 'At least one stage has started.',
  Suspended: 'spec.suspend is true; no pod of the run is running.',
  Committing: 'The outcome is decided; logs and the record are being stored.',
  Succeeded: 'Every stage succeeded.',
  CopiedWithFailures: 'Every stage succeeded; some objects failed to be copied, within maxFailures.',
  StageFailed: 'A stage failed; the stages that depend on it were skipped.',
  Canceled: 'spec.cancel was set, or the PipelineRun was deleted before all its stages were terminal.',
  InvalidSpec: 'The spec cannot be run, for a reason that the API server does not check.',
  JobNameConflict: 'A Job with the name that a stage needs exists and belongs to something else.',
  Capturing: 'Logs are still being captured.',
  Stored: 'Everything is stored.',
  LogsIncomplete:
    'Everything that was left is stored, but the log of at least one worker has a gap, which its manifest names.',
  ResultsNotStored:
    'The results store refused the record for commitTimeoutSeconds; it is tried again while the PipelineRun exists.',
  InUse: 'Jobs or pods of the run exist.',
  Deleted: 'No Job and no pod of the run exists any more.',
} as const;
export type RunReason = keyof typeof RUN_REASONS;

/** Reasons of a stage. */
export const STAGE_REASONS = {
  WaitingForDependencies: 'A stage that this one depends on has not succeeded yet.',
  WaitingForNode: 'The pod waits for a node; the message has the words of the scheduler and the autoscaler.',
  StartingContainers: 'The pod has a node; images are pulled and inputs fetched.',
  Working: 'The main container is running.',
  UploadingOutputs: 'The command has ended well; its outputs are being stored.',
  Retrying: 'An attempt has ended without success; the next one starts.',
  Suspended: 'spec.suspend is true.',
  Completed: 'Every worker succeeded.',
  CopiedWithFailures: 'The copy is done; some objects failed, within maxFailures.',
  Error: 'The command or a worker ended with an error.',
  OOMKilled: 'The main container needed more memory than its limit, or than its node had left.',
  DeadlineExceeded: 'The stage ran longer than activeDeadlineSeconds.',
  NodeLost: 'The node of the worker died or was removed.',
  Preempted: 'The worker was preempted or evicted.',
  JobDeleted: 'Somebody deleted the Job of the stage while it ran.',
  ImagePullFailed: 'An image could not be pulled within startTimeoutSeconds.',
  ContainerConfigError:
    'A container could not be created, for example because a Secret or ConfigMap is missing.',
  StartTimeout: 'The main container did not start within startTimeoutSeconds.',
  Unschedulable: 'No node was found within provisionTimeoutSeconds.',
  PodCreationRefused: 'The cluster refused to create the pod: a quota, Pod Security or an admission webhook.',
  InputFailed: 'An input could not be fetched.',
  OutputFailed: 'An output could not be stored.',
  PlanRefused: 'The copy cannot be done as written; nothing was written.',
  CopyFailed: 'More objects failed to be copied than maxFailures allows.',
  StoreUnavailable: 'A store could not be reached, or refused the credentials.',
  JobNameConflict: 'A Job with the name that the stage needs exists and belongs to something else.',
  InvalidSpec: 'The stage cannot be run as written.',
  DependencyFailed: 'A stage that this one depends on did not succeed.',
  RunCanceled: 'The run was canceled.',
} as const;
export type StageReason = keyof typeof STAGE_REASONS;

/** Reasons of Events that no condition carries. */
export const EVENT_REASONS = {
  StageRetried: 'A stage is tried again after a failed or disrupted attempt.',
  RunFinished: 'The run reached its final state; its record is stored.',
  ForeignObject:
    'Something that the run has not made bears its label: it was left alone, and the run ended without it.',
  RecordNotStored: 'The PipelineRun was deleted before its record could be stored.',
} as const;
export type EventReason = keyof typeof EVENT_REASONS;
