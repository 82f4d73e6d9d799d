import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type KeyedCertificate,
  issueCertificate,
  makeAuthority,
  makeTokenKeys,
  type Subject,
} from './certificates.ts';

const pki = (directory: string): string => join(directory, 'pki');

/** Files of a cluster's identity, as flags want them. */
export function pkiFile(directory: string, name: string): string {
  return join(pki(directory), name);
}

async function writeSecret(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
}

/** Writes NAME.crt and NAME.key for a subject, signed by the cluster's own authority. */
export async function writeCertificate(
  directory: string,
  authority: KeyedCertificate,
  name: string,
  subject: Subject,
): Promise<void> {
  const issued = issueCertificate(authority, subject);
  await writeSecret(pkiFile(directory, `${name}.crt`), issued.certificate);
  await writeSecret(pkiFile(directory, `${name}.key`), issued.key);
}

/** Makes the authority and the key of service account tokens, new for every cluster. */
export async function writeAuthority(directory: string): Promise<KeyedCertificate> {
  await mkdir(pki(directory), { recursive: true, mode: 0o700 });
  const authority = makeAuthority();
  await writeSecret(pkiFile(directory, 'ca.crt'), authority.certificate);
  await writeSecret(pkiFile(directory, 'ca.key'), authority.key);
  const tokens = makeTokenKeys();
  await writeSecret(pkiFile(directory, 'tokens.pub'), tokens.publicKey);
  await writeSecret(pkiFile(directory, 'tokens.key'), tokens.privateKey);
  return authority;
}

export async function readAuthority(directory: string): Promise<KeyedCertificate> {
  const [certificate, key] = await Promise.all([
    readFile(pkiFile(directory, 'ca.crt'), 'utf8'),
    readFile(pkiFile(directory, 'ca.key'), 'utf8'),
  ]);
  return { certificate, key };
}

/** Path of the kubeconfig that writeKubeconfig makes. */
export function kubeconfigFile(directory: string, name: string): string {
  return join(directory, `${name}.kubeconfig`);
}

/** Makes a kubeconfig with a client certificate of its own for a subject (organization = group). */
export async function writeKubeconfig(
  directory: string,
  authority: KeyedCertificate,
  server: string,
  name: string,
  subject: Subject,
): Promise<string> {
  const client = issueCertificate(authority, subject);
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'ebbflow', cluster: { server, 'certificate-authority-data': base64(authority.certificate) } },
    ],
    users: [
      {
        name,
        user: {
          'client-certificate-data': base64(client.certificate),
          'client-key-data': base64(client.key),
        },
      },
    ],
    contexts: [{ name: 'ebbflow', context: { cluster: 'ebbflow', user: name } }],
    'current-context': 'ebbflow',
  };
  const file = kubeconfigFile(directory, name);
  await writeSecret(file, JSON.stringify(config, null, 2)); // JSON is YAML
  return file;
}
