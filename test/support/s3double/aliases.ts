import { toByteString, toText, type ByteString } from './bytestring.ts';
import { Refusal } from './refusal.ts';
import type { ResolvedSetup } from './setup.ts';

/** The key under which a store of this kind keeps what is written to `key`. */
export function canonicalKey(key: ByteString, aliases: ResolvedSetup['aliases']): ByteString {
  switch (aliases) {
    case 'NFC':
      return toByteString(toText(key).normalize('NFC'));
    case 'CaseInsensitive':
      return toByteString(toText(key).toLowerCase());
    case 'Posix':
      return resolvePath(key);
    case 'PosixNFC':
      return resolvePath(canonicalKey(key, 'NFC'));
    case 'PosixCaseInsensitive':
      return resolvePath(canonicalKey(canonicalKey(key, 'NFC'), 'CaseInsensitive'));
    default:
      return key;
  }
}

/** As a file store does: no empty segments, `.` is nothing; `..` would leave the bucket and is refused. */
function resolvePath(key: ByteString): ByteString {
  const segments = key.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) throw new Refusal(400, 'InvalidArgument', 'the key leaves its bucket');
  return segments.join('/');
}
