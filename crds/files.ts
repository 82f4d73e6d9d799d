/** The files that hold the CRD: the plain one for `kubectl apply`, and the chart's template of the same text. */
import { stringify } from 'yaml';
import { buildCrd, CRD_NAME } from './crd.ts';

const HEADER = '# Made by `npm run crds` from operator/api. Do not edit.\n';

/** Generated text by path from the root of the repository. */
export function generatedFiles(): Map<string, string> {
  const yaml = stringify(buildCrd(), { lineWidth: 0, aliasDuplicateObjects: false });
  return new Map([
    [`crds/ebbflow.dev_pipelineruns.yaml`, HEADER + yaml],
    [`charts/ebbflow/templates/crds/${CRD_NAME}.yaml`, HEADER + toTemplate(yaml)],
  ]);
}

/**
 * A Helm template that renders the same CRD. A chart's crds/ directory is never upgraded by Helm, a template is; the
 * annotation keeps CRD and runs when the release is uninstalled.
 */
function toTemplate(yaml: string): string {
  const name = `metadata:\n  name: ${CRD_NAME}\n`;
  if (!yaml.includes(name)) throw new Error('the CRD has no metadata where the template expects it');
  const escaped = yaml.replaceAll(/\{\{|\}\}/g, (braces) => `{{ "${braces}" }}`);
  const metadata = `${name}  labels:\n    {{- include "ebbflow.labels" . | nindent 4 }}\n  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n`;
  return `{{- if .Values.crds.enabled }}\n${escaped.replace(name, () => metadata)}{{- end }}\n`;
}
