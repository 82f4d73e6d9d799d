/** Lists that are maps or sets: the API server refuses a key that is there twice. */
import type { Problem } from './crossfield.ts';
import type { PipelineRunSpec } from './pipelinerun.ts';

export function findDuplicates(spec: PipelineRunSpec): Problem[] {
  const names = (items: readonly { name: string }[] | undefined) => items?.map((item) => item.name);
  const paths = (items: readonly { path: string }[] | undefined) => items?.map((item) => item.path);
  return [
    ...repeated(names(spec.stores), 'spec.stores'),
    ...repeated(names(spec.stages), 'spec.stages'),
    ...spec.stages.flatMap((stage, i) => [
      ...repeated(stage.dependsOn, `spec.stages[${i}].dependsOn`),
      ...(['train', 'container'] as const).flatMap((kind) => [
        ...repeated(paths(stage[kind]?.inputs), `spec.stages[${i}].${kind}.inputs`),
        ...repeated(paths(stage[kind]?.outputs), `spec.stages[${i}].${kind}.outputs`),
      ]),
    ]),
  ];
}

function repeated(keys: readonly string[] | undefined, path: string): Problem[] {
  const seen = new Set<string>();
  return (keys ?? []).flatMap((key, i) => {
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    const message = `is a duplicate: ${JSON.stringify(key)} is there already; rename or remove one`;
    return [{ path: `${path}[${i}]`, message }];
  });
}
