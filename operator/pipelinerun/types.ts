/** What the plan reads and what it answers. Plain data. */
import type { EventReason, RunReason, StageReason } from '../api/reasons.ts';
import type { Stage } from '../api/pipelinerun.ts';
import type { PipelineRunStatus, StageStatus } from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import type { RunRecord, WorkerManifest } from '../../workers/contract/manifests.ts';
import type { Readiness } from './graph.ts';
import type { Progress } from './progress.ts';

/** Why a pod waits, in the words of the scheduler, the autoscaler or the kubelet. */
export interface Waiting {
  reason: StageReason;
  message: string;
}

/** Everything that is known about one run, at one moment. */
export interface Observed {
  run: DeepReadonly<PipelineRun>;
  /** Jobs that this run has made. */
  jobs: readonly DeepReadonly<Job>[];
  /** Pods of those Jobs, and of Jobs of this run that are not there any more. */
  pods: readonly DeepReadonly<Pod>[];
  /** Pods whose node has been dead for longer than nodeLostSeconds. */
  lostPods: ReadonlySet<string>;
  /** Manifests that workers reported and the operator has read in the store, by pod UID. */
  reports: ReadonlyMap<string, WorkerManifest>;
  /** UIDs of the copy Jobs whose workers' last words have all been looked for in the store. */
  heard: ReadonlySet<string>;
  /** Stages of which the store could not be asked, or did not say, what their workers have left, and since when, in milliseconds since the epoch. */
  unanswered?: ReadonlyMap<string, number>;
  /** Workers that the stored plan of a copy stage has shards for, by stage. */
  plans: ReadonlyMap<string, number>;
  /** Summed over the workers of a stage. */
  progress: ReadonlyMap<string, Progress>;
  /** By stage; only where a pod or Job has been waiting for a while. */
  waiting: ReadonlyMap<string, Waiting>;
  /** Nodes that came up for this run. */
  nodes: { launched: number; nodeSeconds: number };
  /** Problems that the API server does not check; empty for a spec that can be run. */
  problems: readonly string[];
  /** The record of this run, when its status has no outcome although it has ended: the object was restored from a backup. */
  record?: RunRecord;
}

export interface PlanSettings {
  commitTimeoutSeconds: number;
}

/** One effect. Every one is idempotent by name, so that doing it again after a crash changes nothing. */
export type Action =
  | { type: 'AddFinalizer' }
  | { type: 'CreateJob'; stage: string; attempt: number; activeSeconds: number; disruptions?: number }
  /** Notes on the Job which of its pods were lost to the cluster, before they are gone. */
  | { type: 'NoteDisrupted'; job: string; uid: string; pods: readonly string[] }
  /** Asks the API server itself whether the Job of an attempt is gone, before another one takes its place. One that is there gets back what it has lost. */
  | { type: 'ConfirmJobGone'; stage: string; attempt: number }
  /** Gives the Job of a pod back what it has lost, where no cache has it: asks the API server itself. */
  | { type: 'ReclaimJob'; job: string; uid: string }
  /** Ends the Job's pods with grace and keeps the Job; also how a run is suspended. */
  | { type: 'SuspendJob'; job: string; uid: string }
  | { type: 'ResumeJob'; job: string; uid: string }
  /** Gives a copy as many workers as its plan has shards for. */
  | { type: 'GrowJob'; job: string; uid: string; workers: number }
  /** Marks a pod on a dead node as failed, as the garbage collector of pods does, and deletes it without waiting for the kubelet. */
  | { type: 'ReleasePod'; pod: string; uid: string; node: string }
  /** Ends a pod: of a run that is being deleted, with a shorter grace; of a Job that is gone, with its own. */
  | { type: 'DeletePod'; pod: string; uid: string; graceSeconds: number }
  | { type: 'DeleteJobs' }
  /** Ends what the API server itself still has of the run: absence from a cache proves nothing. */
  | { type: 'EndLeftovers' }
  | { type: 'RemoveFinalizer' }
  | { type: 'DeleteRun' };

export interface RunEvent {
  type: 'Normal' | 'Warning';
  reason: RunReason | StageReason | EventReason;
  action: string;
  note: string;
}

export interface Plan {
  /** Done in order before the status is written: status never promises what was not done. */
  actions: Action[];
  /** Done in order after the status is written: what may only happen once everybody can read why. */
  afterwards?: Action[];
  /** The whole status; the same object as observed when nothing has changed. */
  status: PipelineRunStatus;
  events: RunEvent[];
  requeueAfterMs?: number;
  /** The outcome is decided and nothing runs any more: the record is to be stored now. */
  commit?: { discrepancies: string[] };
  /** Stages that wait for a node or for their containers, whose events are worth watching. */
  waitingFor: { stage: string; podUID?: string; jobUID: string }[];
}

/** One stage of an observed run, at the same moment. */
export interface StageInput {
  stage: Stage;
  prior: StageStatus;
  readiness: Readiness;
  canceled: boolean;
  suspended: boolean;
  observed: Observed;
  now: Date;
}

/** What is to be done about one stage. */
export interface StagePlan {
  status: StageStatus;
  actions: Action[];
  events: RunEvent[];
  /** When to look again even if nothing happens, in milliseconds since the epoch. */
  lookAt?: number;
  waitingFor?: Plan['waitingFor'][number];
  /** What a Job or pod has said against the final state of the stage. */
  discrepancy?: string;
}

/** How storing the record went. */
export type Stored = { ok: true; logsComplete: boolean; location: string } | { ok: false; message: string };
