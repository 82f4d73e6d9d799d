/** An environment as lines for a shell to evaluate. Pure. */
export function exportLines(
  environment: Readonly<Record<string, string>>,
  folders: readonly string[],
): string {
  const lines = Object.entries(environment)
    // The shell has its own PATH; this process has what npm put in front of it.
    .filter(([name]) => name !== 'PATH')
    .map(([name, value]) => `export ${name}=${quote(value)}\n`);
  return `${lines.join('')}export PATH=${quote(folders.join(':'))}":$PATH"\n`;
}

function quote(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}
