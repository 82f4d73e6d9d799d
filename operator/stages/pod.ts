/** The parts that every pod of a stage is made of. Pure. */
import type { Placement, Resources } from '../api/common.ts';
import { placementOf } from '../api/defaults.ts';
import { TOKEN_AUDIENCE } from '../api/names.ts';
import type { PipelineRunSpec, Stage } from '../api/pipelinerun.ts';
import type { Store } from '../api/stores.ts';
import type { Container, PodSpec } from '../kube/types.ts';
import { ENV, PATHS, UID, type WorkerSpec } from '../../workers/contract/environment.ts';
import type { PodSettings } from './settings.ts';

type EnvVar = NonNullable<Container['env']>[number];
type Mount = NonNullable<Container['volumeMounts']>[number];
type Volume = NonNullable<PodSpec['volumes']>[number];
type SecurityContext = NonNullable<Container['securityContext']>;

/** Seconds that a pod stays on a node which does not answer before it is evicted. */
const NODE_SILENCE_SECONDS = 30;

/** Which attempt of which stage a pod is for. */
export interface AttemptNames {
  run: string;
  runUID: string;
  namespace: string;
  stage: string;
  attempt: number;
}

const fromField = (name: string, fieldPath: string): EnvVar => ({
  name,
  valueFrom: { fieldRef: { fieldPath } },
});

/** Environment of our own containers. */
export function workerEnv(names: AttemptNames, settings: PodSettings, spec: WorkerSpec): EnvVar[] {
  return [
    { name: ENV.run, value: names.run },
    { name: ENV.runUID, value: names.runUID },
    { name: ENV.namespace, value: names.namespace },
    { name: ENV.stage, value: names.stage },
    { name: ENV.attempt, value: String(names.attempt) },
    fromField(ENV.podName, 'metadata.name'),
    fromField(ENV.podUID, 'metadata.uid'),
    fromField(ENV.nodeName, 'spec.nodeName'),
    { name: ENV.apiURL, value: settings.apiURL },
    { name: ENV.apiServerName, value: settings.apiServerName },
    { name: ENV.apiCA, value: settings.apiCA },
    { name: ENV.tokenFile, value: PATHS.tokenFile },
    { name: ENV.spec, value: JSON.stringify(spec) },
  ];
}

/** What Pod Security calls restricted. Ours also get a read-only root file system. */
export function restricted(own: boolean): SecurityContext {
  return {
    runAsNonRoot: true,
    runAsUser: UID,
    runAsGroup: UID,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
    ...(own ? { readOnlyRootFilesystem: true } : {}),
  };
}

/** Numbered, because two long names may share all that fits into the name of a volume. */
const volumeOf = (stores: readonly Store[], store: Store): string => `store-${stores.indexOf(store)}`;

/** Mounts that only our containers have: the token, the stores' credentials, and a writable /tmp. */
export function ownMounts(stores: readonly Store[]): Mount[] {
  return [
    { name: 'token', mountPath: PATHS.tokenDirectory, readOnly: true },
    { name: 'tmp', mountPath: '/tmp' },
    ...stores
      .filter((store) => store.secretRef)
      .map((store) => ({
        name: volumeOf(stores, store),
        mountPath: `${PATHS.stores}/${store.name}`,
        readOnly: true,
      })),
  ];
}

export function ownVolumes(stores: readonly Store[]): Volume[] {
  const token = { serviceAccountToken: { audience: TOKEN_AUDIENCE, expirationSeconds: 3600, path: 'token' } };
  return [
    { name: 'token', projected: { sources: [token] } },
    { name: 'tmp', emptyDir: {} },
    ...stores.flatMap((store) =>
      store.secretRef
        ? [{ name: volumeOf(stores, store), secret: { secretName: store.secretRef.name } }]
        : [],
    ),
  ];
}

/** `resources` of a container; what is not asked for is taken from `fallback`. */
export function resourcesOf(
  resources: Resources | undefined,
  fallback: Record<string, string>,
): Container['resources'] {
  const requests = resources?.requests ?? resources?.limits ?? fallback;
  return { requests, ...(resources?.limits ? { limits: resources.limits } : {}) };
}

/** Everything of a pod but its containers and volumes. */
export function podFrame(
  spec: PipelineRunSpec,
  stage: Stage,
  grace: { seconds: number; deadline: number },
): Omit<PodSpec, 'containers'> {
  const placement: Placement = placementOf(spec, stage);
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(stage.serviceAccountName === undefined ? {} : { serviceAccountName: stage.serviceAccountName }),
    ...(stage.imagePullSecrets ? { imagePullSecrets: [...stage.imagePullSecrets] } : {}),
    ...(placement.nodeSelector ? { nodeSelector: placement.nodeSelector } : {}),
    tolerations: [...(placement.tolerations ?? []), ...silence],
    securityContext: { runAsNonRoot: true, fsGroup: UID, seccompProfile: { type: 'RuntimeDefault' } },
    terminationGracePeriodSeconds: grace.seconds,
    activeDeadlineSeconds: grace.deadline,
  };
}

const silence = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map((key) => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: NODE_SILENCE_SECONDS,
}));
