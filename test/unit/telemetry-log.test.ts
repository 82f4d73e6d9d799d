import { describe, expect, it } from 'vitest';
import { createLogger } from '../../operator/telemetry/log.ts';

function capture() {
  const lines: string[] = [];
  const logger = createLogger({ level: 'debug', stream: { write: (line: string) => lines.push(line) } });
  const record = (): unknown => JSON.parse(lines.at(-1) ?? 'null');
  return { logger, lines, record };
}

describe('the logger', () => {
  it('writes one JSON object per line with level, UTC time, service, fields and message', () => {
    const { logger, record } = capture();
    logger.child({ run: 'nightly' }).info({ stages: 2 }, 'run taken on');
    expect(record()).toMatchObject({
      level: 'info',
      service: 'ebbflow',
      run: 'nightly',
      stages: 2,
      msg: 'run taken on',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
  });

  it('says nothing below its level', () => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'warn', stream: { write: (line: string) => lines.push(line) } });
    logger.info({}, 'quiet');
    logger.child({ run: 'x' }).debug({}, 'quiet too');
    logger.warn({}, 'heard');
    expect(lines).toHaveLength(1);
  });

  const secret = 'wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY';
  const cyclic: Record<string, unknown> = { password: secret };
  cyclic['self'] = cyclic;
  it.each<[string, Record<string, unknown>]>([
    ['a field by name', { token: secret }],
    ['a nested field by name', { request: { headers: { Authorization: secret } } }],
    ['a list under a secret name', { tokens: [secret] }],
    ['a presigned URL', { url: `https://s3/b/k?X-Amz-Date=1&X-Amz-Signature=${secret}&x-id=PutObject` }],
    ['a bearer token in a text', { header: `Bearer ${secret}` }],
    ['a password in a URL', { url: `https://user:${secret}@example.test/` }],
    ['an error message', { err: new Error(`PUT /k?X-Amz-Signature=${secret} answered 403`) }],
    ['the cause of an error', { err: new Error('failed', { cause: new Error(`Bearer ${secret}`) }) }],
    ['an error that carries headers', { err: Object.assign(new Error('x'), { headers: { a: secret } }) }],
    ['bytes', { body: new TextEncoder().encode(secret) }],
    ['an object that contains itself', cyclic],
  ])('masks %s', (_name, fields) => {
    const { logger, lines } = capture();
    logger.error(fields, 'failed');
    logger.child(fields).error({}, 'failed');
    expect(lines).toHaveLength(2);
    expect(lines.join('')).not.toContain(secret);
  });

  it('keeps the type, message, code and stack of an error', () => {
    const { logger, record } = capture();
    logger.error({ err: Object.assign(new TypeError('no such bucket'), { code: 'S3_NO_BUCKET' }) }, 'failed');
    expect(record()).toMatchObject({
      err: { type: 'TypeError', message: 'no such bucket', code: 'S3_NO_BUCKET', stack: expect.any(String) },
    });
  });

  it('leaves numbers, names of Secrets and the fields of its caller alone', () => {
    const { logger, record } = capture();
    const fields = { tokensReviewed: 3, secretName: 's3', list: [{ token: 'x' }] };
    logger.info(fields, 'ok');
    expect(record()).toMatchObject({ tokensReviewed: 3, secretName: 's3' });
    expect(fields.list).toEqual([{ token: 'x' }]);
  });
});
