import { arrange, copy, lake, run, source, train, type UpdateExample } from './example.ts';

const before = { ...run(arrange, train), pipeline: 'digits', placement: { nodeSelector: { a: 'b' } } };
const { pipeline: _, ...withoutPipeline } = before;

/** Changes of an existing object that the API server allows or refuses. */
export const UPDATES: readonly UpdateExample[] = [
  { title: 'nothing', before, after: before },
  { title: 'suspend is set', before, after: { ...before, suspend: true } },
  { title: 'suspend is changed', before: { ...before, suspend: true }, after: { ...before, suspend: false } },
  { title: 'suspend is removed', before: { ...before, suspend: true }, after: before },
  { title: 'cancel is set', before, after: { ...before, cancel: true } },
  {
    title: 'cancel goes from false to true',
    before: { ...before, cancel: false },
    after: { ...before, cancel: true },
  },
  { title: 'cancel false is removed', before: { ...before, cancel: false }, after: before },
  {
    title: 'cancel goes from true to false',
    before: { ...before, cancel: true },
    after: { ...before, cancel: false },
    refused: 'cancel cannot be taken back',
  },
  {
    title: 'cancel true is removed',
    before: { ...before, cancel: true },
    after: before,
    refused: 'cancel cannot be taken back',
  },
  {
    title: 'pipeline is changed',
    before,
    after: { ...before, pipeline: 'letters' },
    refused: 'pipeline cannot be changed after creation',
  },
  {
    title: 'pipeline is removed',
    before,
    after: withoutPipeline,
    refused: 'pipeline cannot be changed after creation',
  },
  {
    title: 'pipeline is added',
    before: withoutPipeline,
    after: before,
    refused: 'pipeline cannot be changed after creation',
  },
  {
    title: 'a timeout is added',
    before,
    after: { ...before, startTimeoutSeconds: 5 },
    refused: 'startTimeoutSeconds cannot be changed',
  },
  {
    title: 'another timeout is added',
    before,
    after: { ...before, provisionTimeoutSeconds: 5 },
    refused: 'provisionTimeoutSeconds cannot be changed',
  },
  {
    title: 'the deadline is added',
    before,
    after: { ...before, activeDeadlineSeconds: 5 },
    refused: 'activeDeadlineSeconds cannot be changed',
  },
  {
    title: 'the time to live is added',
    before,
    after: { ...before, ttlSecondsAfterFinished: 5 },
    refused: 'ttlSecondsAfterFinished cannot be changed',
  },
  {
    title: 'placement is changed',
    before,
    after: { ...before, placement: { nodeSelector: { a: 'c' } } },
    refused: 'placement cannot be changed',
  },
  {
    title: 'a store is changed',
    before,
    after: { ...before, stores: [{ ...lake, region: 'x' }] },
    refused: 'stores cannot be changed',
  },
  {
    title: 'a stage is added',
    before,
    after: { ...before, stages: [arrange, train, { ...train, name: 'more' }] },
    refused: 'stages cannot be changed',
  },
  {
    title: 'a stage is removed',
    before,
    after: { ...before, stages: [arrange] },
    refused: 'stages cannot be changed',
  },
  {
    title: 'a prefix deep in a stage is changed',
    before,
    after: {
      ...before,
      stages: [{ ...arrange, copy: { ...copy, source: { ...source, prefix: '2027/' } } }, train],
    },
    refused: 'stages cannot be changed',
  },
];
