/**
 * Every name that Ebbflow puts on objects of a cluster: declared once, here.
 */
import { createHash } from 'node:crypto';

export const GROUP = 'ebbflow.dev';
export const VERSION = 'v1alpha1';
export const KIND = 'PipelineRun';
export const PLURAL = 'pipelineruns';
export const API_VERSION = `${GROUP}/${VERSION}`;

export const LABEL = {
  /** UID of the PipelineRun, to find its pods by; what a child is, its name and its owner say. */
  runUID: 'ebbflow.dev/run-uid',
  /** Name of the PipelineRun, for people. */
  run: 'ebbflow.dev/run',
  /** Name of the stage. */
  stage: 'ebbflow.dev/stage',
  /** Attempt of the stage, counted from 1. */
  attempt: 'ebbflow.dev/attempt',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

export const ANNOTATION = {
  /** Of a Job: beginnings of the UIDs of its pods that were lost to the cluster. Such pods do not stay to be counted. */
  disrupted: 'ebbflow.dev/disrupted',
  /** Of a Job: how many workers earlier attempts of its stage had lost to the cluster; absent for none. */
  disruptedBefore: 'ebbflow.dev/disrupted-before',
} as const;

/** Value of {@link LABEL.managedBy} on everything that Ebbflow creates. */
export const MANAGED_BY = 'ebbflow';

/** Label of metrics for runs without spec.pipeline: a run's own name would make a series for every run. */
export const UNNAMED_PIPELINE = 'none';

/** Held by a PipelineRun until its record is stored and its Jobs and pods are gone. */
export const FINALIZER = 'ebbflow.dev/commit';

/** Field manager and reporting controller of the operator. */
export const MANAGER = 'ebbflow.dev/operator';

/** Audience of the tokens with which workers speak to the operator. */
export const TOKEN_AUDIENCE = 'ebbflow';

/**
 * Name of the Job of one stage attempt, at most 57 characters, so that the pods' names (`-<index>-<5>`) still fit a DNS label.
 * The digest keeps run `a` with stage `b-c` apart from run `a-b` with stage `c`, and two runs of one name apart from each other.
 */
export function jobName(run: { name: string; uid: string }, stage: string, attempt: number): string {
  const digest = createHash('sha256').update(`${run.uid}/${stage}/${attempt}`).digest('hex').slice(0, 8);
  return `${jobPrefix(run.name, stage)}${attempt}-${digest}`;
}

/** How the names of the Jobs of a stage begin; those of another stage or run may begin the same way. */
export function jobPrefix(run: string, stage: string): string {
  return `${shorten(run)}-${shorten(stage)}-`;
}

/** The first 20 characters of a DNS name, made safe to be followed by a hyphen. */
function shorten(name: string): string {
  return name.slice(0, 20).replaceAll('.', '-').replace(/-+$/, '');
}
