/** The spec as it goes into the record: literal values of environment variables that look secret are masked. */
import type { PipelineRun } from '../api/types.ts';
import type { DeepReadonly } from '../kube/types.ts';
import { MASK, Redactor } from './logs/redact.ts';

const SECRET_NAME = /pass|secret|token|credential|private|api_?key|access_?key/i;

function isNamedValue(value: object): value is { name: string; value: string } {
  return (
    'name' in value && typeof value.name === 'string' && 'value' in value && typeof value.value === 'string'
  );
}

function maskValue(value: unknown, redactor: Redactor): unknown {
  if (typeof value === 'string') return maskText(value, redactor);
  if (Array.isArray(value)) return value.map((item) => maskValue(item, redactor));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, maskValue(member, redactor)]);
  const masked: object = Object.fromEntries(members);
  return isNamedValue(masked) && SECRET_NAME.test(masked.name) ? { ...masked, value: MASK } : masked;
}

/** Text of any characters; the redactor itself works on bytes. */
function maskText(text: string, redactor: Redactor): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const lines = bytes.split('\n').map((line) => redactor.take(line, true));
  redactor.restart();
  return Buffer.from(lines.join('\n'), 'latin1').toString('utf8');
}

export function maskSpec(spec: DeepReadonly<PipelineRun>['spec']): unknown {
  return maskValue(spec, new Redactor());
}
