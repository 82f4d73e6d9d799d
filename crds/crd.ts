/** The CustomResourceDefinition of PipelineRun, made from the zod schemas in operator/api. */
import { GROUP, KIND, PLURAL, VERSION } from '../operator/api/names.ts';
import { pipelineRunSpec } from '../operator/api/pipelinerun.ts';
import { nameLength, rules } from '../operator/api/rules.ts';
import { pipelineRunStatus } from '../operator/api/status.ts';
import { type SchemaNode, toStructural } from './structural.ts';

export const CRD_NAME = `${PLURAL}.${GROUP}`;

interface Column {
  name: string;
  type: 'string' | 'date';
  description: string;
  jsonPath: string;
  /** 0: always shown; 1: with -o wide only. */
  priority?: 0 | 1;
}

const COLUMNS: Column[] = [
  {
    name: 'Succeeded',
    type: 'string',
    description: 'Unknown while the run is going on.',
    jsonPath: '.status.conditions[?(@.type=="Succeeded")].status',
  },
  {
    name: 'Reason',
    type: 'string',
    description: 'Why Succeeded is what it is.',
    jsonPath: '.status.conditions[?(@.type=="Succeeded")].reason',
  },
  {
    name: 'Stages',
    type: 'string',
    description: 'Succeeded and all stages.',
    jsonPath: '.status.summary.stages',
  },
  {
    name: 'Doing',
    type: 'string',
    description: 'What the run does, or why it waits; cut, and whole in the column Message of -o wide.',
    jsonPath: '.status.summary.doing',
  },
  { name: 'Age', type: 'date', description: 'Time since creation.', jsonPath: '.metadata.creationTimestamp' },
  {
    name: 'Message',
    type: 'string',
    description: 'What the run does, why it waits, or how it ended, as a whole sentence.',
    jsonPath: '.status.summary.message',
    priority: 1,
  },
  {
    name: 'Start',
    type: 'date',
    description: 'When the operator took the run on.',
    jsonPath: '.status.startTime',
    priority: 1,
  },
  {
    name: 'Completed',
    type: 'date',
    description: 'When the run ended.',
    jsonPath: '.status.completionTime',
    priority: 1,
  },
];

const TEXT = {
  object:
    'A PipelineRun runs a graph of stages once. Each stage is a Job on nodes that come up for it from zero; logs and results are kept in the results store, and every Job and pod is deleted at the end.',
  apiVersion: `Version of this representation: ${GROUP}/${VERSION}.`,
  kind: `Kind of this object: ${KIND}.`,
  status: 'What the operator has seen and decided. It is written by the operator alone.',
};

/** Root schema: what Kubernetes requires around spec and status. */
export function rootSchema(): SchemaNode {
  return {
    type: 'object',
    description: TEXT.object,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: TEXT.apiVersion },
      kind: { type: 'string', description: TEXT.kind },
      // The API server knows this one and lets nothing be said about it.
      metadata: { type: 'object' },
      spec: toStructural(pipelineRunSpec),
      status: { ...toStructural(pipelineRunStatus), description: TEXT.status },
    },
    ...rules(nameLength),
  };
}

/** The whole CustomResourceDefinition, ready to be written as YAML. */
export function buildCrd(): Record<string, unknown> {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: CRD_NAME },
    spec: {
      group: GROUP,
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ['ebb'],
        categories: ['ebbflow'],
      },
      scope: 'Namespaced',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          selectableFields: [{ jsonPath: '.spec.pipeline' }],
          additionalPrinterColumns: COLUMNS,
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  };
}
