/**
 * Building blocks of the schema: bounded strings and the few pieces of core/v1 that a PipelineRun takes.
 * Every string, list and map is bounded, because CEL's cost budget and etcd's object size depend on it.
 */
import { z } from 'zod';
import type { Immutable } from './immutable.ts';
import { envOrigin, envSource, rules, tolerationKey, tolerationSeconds, tolerationValue } from './rules.ts';

/**
 * A bounded string of one form. The form is also a CEL rule, because the API server answers a failed `pattern` with the
 * bare expression, and a failed rule with its message.
 */
export function formed(max: number, pattern: RegExp, message: string) {
  const source = pattern.source.replaceAll('\\/', '/').replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  return z
    .string()
    .max(max)
    .regex(pattern, message)
    .meta(rules({ rule: `self.matches('${source}')`, message }));
}

/** A DNS-1123 label. */
export const dnsLabel = formed(
  63,
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  'must be a DNS label: lower-case letters, digits and -, starting and ending with a letter or digit',
);

/** Name of a namespaced object: a DNS-1123 subdomain. */
export const objectName = formed(
  253,
  /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  'must be the name of a Kubernetes object: lower-case letters, digits, - and .',
);

/** Name of an S3 bucket. */
export const bucketName = formed(
  63,
  /^[a-z0-9][a-z0-9.-]+[a-z0-9]$/,
  'must be a bucket name: 3-63 lower-case letters, digits, - and .',
).describe('Name of the bucket.');

/** A literal key prefix; Ebbflow never adds a slash of its own. */
export const keyPrefix = z
  .string()
  .max(1024)
  .describe(
    'Literal prefix of the keys. No slash is added: write it when you want one. Default: the whole bucket.',
  );

export const seconds = z.int32().min(1);

const quantity = formed(
  32,
  /^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/,
  'must be a quantity such as "500m", "2" or "1Gi"',
);

/** A map with a bounded number of entries, which zod's record and JSON Schema can only say separately. */
function boundedMap<Value extends z.ZodType>(value: Value, max: number) {
  return z
    .record(z.string(), value)
    .refine((map) => Object.keys(map).length <= max, `must have at most ${max} entries`)
    .meta({ maxProperties: max });
}

export const resources = z
  .object({
    requests: boundedMap(quantity, 16)
      .optional()
      .describe(
        'What the scheduler and the autoscaler reserve, by resource name. Example: {cpu: "1", memory: 1Gi}.',
      ),
    limits: boundedMap(quantity, 16)
      .optional()
      .describe('What the container may use at most, by resource name.'),
  })
  .describe('Compute resources of the main container, as in a Pod.');

const keyRef = z.object({
  // A plain pattern: as a CEL rule, 100 stages of 256 variables would be over the API server's cost budget.
  name: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be the name of a Kubernetes object')
    .describe('Name of the object in the namespace of the run.'),
  key: z.string().min(1).max(253).describe('Key inside it.'),
  optional: z
    .boolean()
    .optional()
    .describe('Whether the variable may be left out when the object or key does not exist. Default: false.'),
});

export const envVar = z
  .object({
    name: formed(
      128,
      /^[A-Za-z_][A-Za-z0-9_.-]*$/,
      'must be the name of an environment variable: letters, digits, _, - and ., not starting with a digit',
    ).describe('Name of the variable.'),
    value: z.string().max(8192).optional().describe('Literal value. Default: empty.'),
    valueFrom: z
      .object({
        secretKeyRef: keyRef.optional().describe('Takes the value from a key of a Secret.'),
        configMapKeyRef: keyRef.optional().describe('Takes the value from a key of a ConfigMap.'),
        fieldRef: z
          .object({
            fieldPath: z.string().min(1).max(253).describe('Path of the field, such as metadata.name.'),
          })
          .optional()
          .describe('Takes the value from a field of the pod.'),
      })
      .meta(rules(envSource))
      .optional()
      .describe('Source of the value, as in a Pod. Exactly one member.'),
  })
  .meta(rules(envOrigin))
  .describe('One environment variable, as in a Pod.');

const toleration = z
  .object({
    key: z
      .string()
      .max(317)
      .optional()
      .describe('Key of the taint. Left out, with operator Exists: every taint.'),
    operator: z
      .enum(['Exists', 'Equal'])
      .optional()
      .describe('How the key relates to the value. Default: Equal.'),
    value: z.string().max(63).optional().describe('Value of the taint, with operator Equal.'),
    effect: z
      .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
      .optional()
      .describe('Effect to tolerate. Default: every effect.'),
    tolerationSeconds: z
      .int32()
      .optional()
      .describe('How long a NoExecute taint is tolerated, in seconds. Default: for ever.'),
  })
  .meta(rules(tolerationKey, tolerationValue, tolerationSeconds));

const labelValue = formed(
  63,
  /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/,
  'must be the value of a label: letters, digits, -, _ and ., starting and ending with a letter or digit',
);

export const placement = z
  .object({
    nodeSelector: boundedMap(labelValue, 32)
      .optional()
      .describe('Labels that a node must have. Example: {ebbflow.dev/pool: burst}.'),
    tolerations: z.array(toleration).max(16).optional().describe('Taints that the pods tolerate.'),
  })
  .describe("Where the pods run. A stage's placement replaces the run's as a whole.");

export type Placement = Immutable<z.infer<typeof placement>>;
export type Resources = Immutable<z.infer<typeof resources>>;
export type EnvVar = Immutable<z.infer<typeof envVar>>;
