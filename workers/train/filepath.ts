/** Keys of objects as paths of files. Keys come from anybody who can write to a bucket, so nothing about them is trusted. */

/** A key that cannot be a file below the input's directory. */
export class UnsafeKeyError extends Error {
  override readonly name = 'UnsafeKeyError';
  readonly code = 'UnsafeKey';
}

/** Longest name of one file or directory, in bytes, on every file system in use. */
const longestName = 255;

/** Printable form of a key or path for messages, at most 200 characters. */
export function quotePath(path: string): string {
  const text = JSON.stringify(path);
  return text.length <= 200 ? text : `${text.slice(0, 196)}…"`;
}

/**
 * The path, relative to the input's directory, at which an object stands: the key after the prefix. Where the prefix
 * is the whole key, its last part. Undefined for a key that ends in a slash: such objects mark directories.
 * @throws UnsafeKeyError for a key that would leave the directory or cannot be a file name.
 */
export function filePathOf(key: string, prefix: string): string | undefined {
  if (key.endsWith('/')) return undefined;
  let path = key.startsWith(prefix) ? key.slice(prefix.length) : key;
  if (path === '') path = key.slice(key.lastIndexOf('/') + 1);
  else if (prefix !== '' && !prefix.endsWith('/') && path.startsWith('/')) path = path.slice(1);
  checkFilePath(path, key);
  return path;
}

/** @throws UnsafeKeyError unless every part of the path is a plain name. */
export function checkFilePath(path: string, key: string): void {
  const refuse = (because: string): never => {
    throw new UnsafeKeyError(`key ${quotePath(key)} cannot be a file: ${because}`);
  };
  if (path.includes('\0')) refuse('it has a NUL character');
  for (const part of path.split('/')) {
    if (part === '')
      refuse(path.startsWith('/') ? 'its path would be absolute' : 'it has an empty part between slashes');
    if (part === '.' || part === '..')
      refuse(`it has the part ${JSON.stringify(part)}, which would leave its directory`);
    if (Buffer.byteLength(part) > longestName)
      refuse(`it has a part of more than ${longestName} bytes between slashes`);
  }
}
