import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { issueCertificate, makeAuthority, makeTokenKeys } from '../cluster/certificates.ts';
import { integer, objectIdentifier, octetString, time } from '../cluster/der.ts';

describe('certificates of the test cluster', () => {
  const authority = makeAuthority();
  const authorityCertificate = new X509Certificate(authority.certificate);

  it('come from an authority that signs itself', () => {
    expect(authorityCertificate.ca).toBe(true);
    expect(authorityCertificate.verify(authorityCertificate.publicKey)).toBe(true);
  });

  it('take common names longer than the 64 characters of openssl', () => {
    const commonName = `system:node:${'kwok-w-abcde-'.repeat(6)}`;
    const issued = issueCertificate(authority, { commonName, organization: 'system:nodes' });
    const certificate = new X509Certificate(issued.certificate);
    expect(certificate.subject).toBe(`O=system:nodes\nCN=${commonName}`);
    expect(certificate.verify(authorityCertificate.publicKey)).toBe(true);
    expect(certificate.checkIssued(authorityCertificate)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(issued.key))).toBe(true);
  });

  it('serve the hosts they name, and no others', () => {
    const issued = issueCertificate(authority, {
      commonName: 'server',
      hosts: ['10.199.0.1', 'kubernetes.default.svc'],
    });
    const certificate = new X509Certificate(issued.certificate);
    expect(certificate.checkIP('10.199.0.1')).toBe('10.199.0.1');
    expect(certificate.checkIP('10.199.0.2')).toBeUndefined();
    expect(certificate.checkHost('kubernetes.default.svc')).toBe('kubernetes.default.svc');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
  });

  it('are valid now and differ in their numbers', () => {
    const [one, two] = [1, 2].map(
      () => new X509Certificate(issueCertificate(authority, { commonName: 'x' }).certificate),
    );
    expect(one?.validFromDate.getTime()).toBeLessThan(Date.now());
    expect(one?.validToDate.getTime()).toBeGreaterThan(Date.now());
    expect(one?.serialNumber).not.toBe(two?.serialNumber);
  });

  it('has token keys that fit together', () => {
    const keys = makeTokenKeys();
    expect(keys.publicKey).toContain('BEGIN PUBLIC KEY');
    expect(createPrivateKey(keys.privateKey).asymmetricKeyType).toBe('ec');
  });
});

describe('DER', () => {
  it.each([
    ['2.5.4.3', '0603550403'],
    ['1.2.840.10045.4.3.2', '06082a8648ce3d040302'],
  ])('writes the identifier %s', (dotted, hex) => {
    expect(objectIdentifier(dotted).toString('hex')).toBe(hex);
  });

  it('keeps a positive number positive', () => {
    expect(integer(Buffer.from([0x80])).toString('hex')).toBe('02020080');
    expect(integer(Buffer.from([0x7f])).toString('hex')).toBe('02017f');
  });

  it.each([
    [127, '047f'],
    [128, '048180'],
    [300, '0482012c'],
  ])('writes a length of %d', (size, start) => {
    expect(octetString(Buffer.alloc(size)).toString('hex').startsWith(start)).toBe(true);
  });

  it('writes times by the century rule', () => {
    expect(time(new Date('2026-11-23T13:00:00.5Z')).toString('latin1')).toBe('\x17\x0d261123130000Z');
    expect(time(new Date('2050-01-01T00:00:00Z')).toString('latin1')).toBe('\x18\x0f20500101000000Z');
  });
});
