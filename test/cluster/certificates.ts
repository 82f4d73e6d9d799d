import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';
import {
  bitString,
  boolean,
  element,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';

/** PEM of a certificate and of its private key (PKCS #8). */
export interface KeyedCertificate {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  /** openssl ends common names at 64 characters, `system:node:` + a Karpenter node name is longer: here any length goes. */
  readonly commonName: string;
  /** Kubernetes reads it as the group. */
  readonly organization?: string;
  /** DNS names and IPv4 addresses a server answers to. */
  readonly hosts?: readonly string[];
}

const ecdsaWithSha256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));

function name({ commonName, organization }: Subject): Buffer {
  const part = (type: string, text: string) => set(sequence(objectIdentifier(type), utf8String(text)));
  return sequence(
    ...(organization === undefined ? [] : [part('2.5.4.10', organization)]),
    part('2.5.4.3', commonName),
  );
}

function extension(type: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(objectIdentifier(type), ...(critical ? [boolean(true)] : []), octetString(value));
}

function alternativeNames(hosts: readonly string[]): Buffer {
  return sequence(
    ...hosts.map((host) =>
      isIPv4(host)
        ? element(0x87, Buffer.from(host.split('.').map(Number)))
        : element(0x82, Buffer.from(host)),
    ),
  );
}

const toPem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${(
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  ).join('\n')}\n-----END CERTIFICATE-----\n`;

interface Content {
  readonly subject: Subject;
  readonly issuer: Subject;
  readonly publicKey: Uint8Array;
  readonly extensions: readonly Uint8Array[];
}

function toBeSigned({ subject, issuer, publicKey, extensions }: Content): Buffer {
  const day = 86_400_000;
  const serial = randomBytes(16);
  serial.writeUInt8(serial.readUInt8(0) | 1, 0); // never zero, never shortened
  return sequence(
    element(0xa0, integer(Buffer.from([2]))), // version 3
    integer(serial),
    ecdsaWithSha256,
    name(issuer),
    sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + 30 * day))),
    name(subject),
    publicKey,
    element(0xa3, sequence(...extensions)),
  );
}

function makeKeys() {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

function seal(content: Buffer, issuerKey: string): string {
  const signature = sign('sha256', content, createPrivateKey(issuerKey));
  return toPem(sequence(content, ecdsaWithSha256, bitString(signature)));
}

const authoritySubject: Subject = { commonName: 'ebbflow-test-cluster' };

/** A certificate authority for one cluster, valid for 30 days. */
export function makeAuthority(): KeyedCertificate {
  const keys = makeKeys();
  const content = toBeSigned({
    subject: authoritySubject,
    issuer: authoritySubject,
    publicKey: keys.publicKey,
    extensions: [
      extension('2.5.29.19', true, sequence(boolean(true))), // a CA
      extension('2.5.29.15', true, bitString(Buffer.from([0b1000_0110]), 1)), // signs documents, certificates, CRLs
    ],
  });
  return { certificate: seal(content, keys.privateKey), key: keys.privateKey };
}

/** A certificate for a client, and for a server when it has hosts. */
export function issueCertificate(authority: KeyedCertificate, subject: Subject): KeyedCertificate {
  const keys = makeKeys();
  const uses = [objectIdentifier('1.3.6.1.5.5.7.3.2')];
  if (subject.hosts !== undefined) uses.push(objectIdentifier('1.3.6.1.5.5.7.3.1'));
  const extensions = [
    extension('2.5.29.15', true, bitString(Buffer.from([0b1000_0000]), 7)),
    extension('2.5.29.37', false, sequence(...uses)),
  ];
  if (subject.hosts !== undefined)
    extensions.push(extension('2.5.29.17', false, alternativeNames(subject.hosts)));
  const content = toBeSigned({ subject, issuer: authoritySubject, publicKey: keys.publicKey, extensions });
  return { certificate: seal(content, authority.key), key: keys.privateKey };
}

/** A key pair for service account tokens. */
export function makeTokenKeys(): { readonly publicKey: string; readonly privateKey: string } {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}
