/** What kubectl complains of, for somebody who asked for something else. Pure. */

export interface Complaint {
  readonly message: string;
  /** The command line to type next. */
  readonly next: string;
}

const CONTEXTS = 'kubectl config get-contexts';

/** @param scope the options that kubectl was given to say which cluster and namespace are meant */
export function explainKubectl(complaint: string, scope: string): Complaint {
  // The last line says what is wrong; those before it repeat it.
  const line = (complaint.trim().split('\n').at(-1) ?? '').replace(/^error: /i, '');
  // What kubectl falls back to where nobody has named a cluster.
  if (/localhost:8080\b.* refused|^Missing or incomplete configuration/.test(line))
    return {
      message:
        'kubectl knows no cluster: set KUBECONFIG to the file that describes yours, or name a context of it with --context',
      next: CONTEXTS,
    };
  if (/context .* does not exist|context was not found/.test(line))
    return { message: `kubectl does not know the context of --context: ${line}`, next: CONTEXTS };
  if (/^The connection to the server|^Unable to connect to the server/.test(line))
    return {
      message: `kubectl does not reach the cluster, which KUBECONFIG and --context choose: ${line}`,
      next: CONTEXTS,
    };
  return { message: line, next: `kubectl ${scope} get pods` };
}
