/**
 * Turns a zod schema into a structural OpenAPI v3 schema, the dialect that the API server takes in a CRD, and refuses
 * whatever it would refuse.
 */
import { z } from 'zod';

/** A JSON Schema node of the dialect; members that are not named here pass through. */
export interface SchemaNode {
  type?: string;
  description?: string;
  properties?: Record<string, SchemaNode>;
  additionalProperties?: SchemaNode | boolean;
  items?: SchemaNode;
  required?: string[];
  enum?: unknown[];
  pattern?: string;
  maxItems?: number;
  maxLength?: number;
  maxProperties?: number;
  'x-kubernetes-validations'?: CelRule[];
  [member: string]: unknown;
}

export interface CelRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  fieldPath?: string;
  reason?: string;
}

/**
 * The OpenAPI form of a schema of the API, as users write it (before defaults).
 * @throws where zod has no OpenAPI form for a construct, or the result is not structural.
 */
export function toStructural(schema: z.ZodType): SchemaNode {
  const node: SchemaNode = JSON.parse(
    JSON.stringify(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'throw' })),
  );
  preferRules(node);
  const problems = findProblems(node, '');
  if (problems.length > 0) throw new Error(`not a structural schema:\n${problems.join('\n')}`);
  return node;
}

/**
 * Drops each `pattern` that a CEL rule says as well: the API server answers a pattern with the bare expression, a rule
 * with its message.
 */
function preferRules(node: SchemaNode): void {
  if (node['x-kubernetes-validations']?.some((rule) => rule.rule.startsWith('self.matches(')))
    delete node.pattern;
  for (const child of childrenOf(node)) preferRules(child.node);
}

const FORBIDDEN = [
  '$ref',
  '$defs',
  'definitions',
  '$schema',
  'uniqueItems',
  'patternProperties',
  'propertyNames',
  'const',
  'default',
  'oneOf',
  'anyOf',
  'allOf',
  'not',
  'x-kubernetes-preserve-unknown-fields',
];

/** Every reason for which the API server would refuse the schema, or would not be able to bound the cost of its rules. */
export function findProblems(node: SchemaNode, path: string): string[] {
  const problems = FORBIDDEN.filter((member) => member in node).map((member) => `${member} is not allowed`);
  if (node.type === undefined) problems.push('has no type');
  if (node.additionalProperties !== undefined) {
    if (typeof node.additionalProperties === 'boolean')
      problems.push('additionalProperties must be a schema');
    if (node.properties !== undefined) problems.push('has properties beside additionalProperties');
    if (node.maxProperties === undefined) problems.push('has no maxProperties');
  }
  if (node.type === 'array' && node.maxItems === undefined) problems.push('has no maxItems');
  if (node.type === 'string' && node.enum === undefined && node.maxLength === undefined)
    problems.push('has no maxLength');
  if (node.pattern !== undefined && /\(\?[=!<]|\\[1-9]/.test(node.pattern))
    problems.push('pattern has what RE2 lacks: look-around or a back-reference');
  const own = problems.map((problem) => `${path === '' ? 'the schema' : path} ${problem}`);
  return [...own, ...childrenOf(node).flatMap((child) => findProblems(child.node, path + child.path))];
}

/** The path of every property that has no description, which `kubectl explain` would show as empty. */
export function findUndescribed(node: SchemaNode, path = ''): string[] {
  return childrenOf(node).flatMap((child) => {
    const here = path + child.path;
    const missing = child.path.startsWith('.') && child.node.description === undefined ? [here] : [];
    return [...missing, ...findUndescribed(child.node, here)];
  });
}

function childrenOf(node: SchemaNode): { path: string; node: SchemaNode }[] {
  const properties = Object.entries(node.properties ?? {}).map(([name, child]) => ({
    path: `.${name}`,
    node: child,
  }));
  const items = node.items === undefined ? [] : [{ path: '[]', node: node.items }];
  const values =
    typeof node.additionalProperties === 'object' ? [{ path: '{}', node: node.additionalProperties }] : [];
  return [...properties, ...items, ...values];
}
