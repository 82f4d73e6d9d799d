import { describe, expect, test } from 'vitest';
import { ListingError, scanListing } from '../../workers/s3/listing.ts';

function page(body: string, tail = '<IsTruncated>false</IsTruncated>'): Buffer {
  return Buffer.from(
    `<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${tail}${body}</ListBucketResult>`,
  );
}

function contents(key: string, size = '1'): string {
  return `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00Z</LastModified><ETag>&quot;e&quot;</ETag><Size>${size}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
}

describe('a page of a listing', () => {
  test('gives key, size, ETag, time and class', () => {
    expect(scanListing(page(contents('a/b.txt', '42'))).objects).toEqual([
      { key: 'a/b.txt', size: 42, etag: 'e', lastModified: '2026-01-01T00:00:00Z', storageClass: 'STANDARD' },
    ]);
  });

  test.each([
    ['a%2Fb+c%2Bd%25', 'a/b c+d%'],
    ['%C3%A9%F0%9F%98%80', 'é😀'],
    ['a&amp;b', 'a&b'],
    ['%01%0A', '\u0001\n'],
  ])('url-encoded %s is %j', (raw, key) => {
    const body = `<EncodingType>url</EncodingType>${contents(raw)}`;
    expect(scanListing(page(body)).objects[0]?.key).toBe(key);
  });

  test.each([
    ['a+b %41', 'a+b %41'],
    ['é😀', 'é😀'],
    ['&lt;&amp;amp;&gt;&quot;&apos;&#x1F600;&#10;', '<&amp;>"\'😀\n'],
  ])('without an encoding %s is %j', (raw, key) => {
    expect(scanListing(page(contents(raw))).objects[0]?.key).toBe(key);
  });

  test.each([
    [
      'owner and checksums between',
      '<Owner><ID>o</ID><Key>x</Key></Owner><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>',
    ],
    ['empty elements', '<StorageClass/><Owner/>'],
    ['lines of their own', '\n  <RestoreStatus>\n <Size>7</Size>\n  </RestoreStatus>\n  '],
  ])('elements that nobody asks for change nothing: %s', (_, between) => {
    const body = contents('k').replace('</Size>', `</Size>${between}`).replace('<Key>', `${between}<Key>`);
    const [object] = scanListing(page(body)).objects;
    expect(object).toMatchObject({ key: 'k', size: 1, etag: 'e' });
  });

  test.each([
    ['&quot;0123456789abcdef0123456789abcdef&quot;', '0123456789abcdef0123456789abcdef'],
    ['"0123456789abcdef0123456789abcdef-12"', '0123456789abcdef0123456789abcdef-12'],
    ['0123456789abcdef0123456789abcdef', '0123456789abcdef0123456789abcdef'],
    ['&quot;&amp;&quot;', '&'],
    // As long as 32 digits between &quot;, which must not be taken for that.
    ['&#34;3d7287ea4ce9c818e88c1d7169109ece-2&#34;', '3d7287ea4ce9c818e88c1d7169109ece-2'],
  ])('ETag %s is %s', (raw, etag) => {
    expect(scanListing(page(contents('k').replace('&quot;e&quot;', raw))).objects[0]?.etag).toBe(etag);
  });

  test('says where the next page starts', () => {
    const tail =
      '<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b=</NextContinuationToken><KeyCount>1</KeyCount>';
    expect(scanListing(page(contents('k'), tail)).nextToken).toBe('a&b=');
  });

  test('keys that look like the page’s own elements change nothing', () => {
    const key = '&lt;IsTruncated&gt;true&lt;/IsTruncated&gt;';
    expect(scanListing(page(contents(key))).nextToken).toBeUndefined();
  });

  test.each([
    ['cut inside an object', Buffer.from(page(contents('a')).toString().slice(0, -40))],
    ['cut after an object', Buffer.from(page(contents('a')).toString().replace('</ListBucketResult>', ''))],
    ['empty', Buffer.alloc(0)],
    ['an error with status 200', Buffer.from('<Error><Code>SlowDown</Code></Error>')],
    ['no IsTruncated', page(contents('a'), '')],
    ['truncated without a token', page(contents('a'), '<IsTruncated>true</IsTruncated>')],
    ['a wrong count', page(contents('a'), '<IsTruncated>false</IsTruncated><KeyCount>2</KeyCount>')],
    ['a size that is no number', page(contents('a', '1e3'))],
    ['an end tag that is cut', page(contents('a').replace('</Size>', '</Siz'))],
    ['text between elements', page(contents('a').replace('<Size>', 'x<Size>'))],
    ['objects with attributes', page(contents('a').replace('<Contents>', '<Contents x="y">'))],
    ['objects of a namespace', page(contents('a').replaceAll('Contents>', 's:Contents>'))],
    ['an object without a size', page('<Contents><Key>a</Key></Contents>')],
  ])('%s is an error and never an end', (_name, body) => {
    expect(() => scanListing(body)).toThrow(ListingError);
  });

  test('a key that is not UTF-8 is named, not guessed', () => {
    const raw = Buffer.concat([
      Buffer.from('<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a'),
      Buffer.from([0xff]),
      Buffer.from('b</Key><Size>1</Size></Contents></ListBucketResult>'),
    ]);
    expect(() => scanListing(raw)).toThrow(/not valid UTF-8.*a\?b/);
  });
});
