import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALLOWED, FORBIDDEN, judgeImport, readImports } from '../support/architecture-fixture/table.ts';

const root = resolve(import.meta.dirname, '../..');
const sources = globSync('{operator,workers,cli}/**/*.ts', { cwd: root });

describe('imports point one way', () => {
  it('in every file that is shipped', () => {
    const imports = sources.flatMap((file) => readImports(file, readFileSync(join(root, file), 'utf8')));
    expect(sources.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(200);
    expect(imports.map(judgeImport).filter((problem) => problem !== undefined)).toEqual([]);
  });

  const judge = ([file, statement]: readonly [string, string]): (string | undefined)[] =>
    readImports(file, statement).map(judgeImport);

  it.each(FORBIDDEN)('the table refuses in %s: %s', (file, statement) => {
    expect(judge([file, statement])).toEqual([expect.stringContaining(file)]);
  });

  it.each(ALLOWED)('the table allows in %s: %s', (file, statement) => {
    expect(judge([file, statement])).toEqual([undefined]);
  });

  it('the reader sees static, dynamic and re-exporting imports, over lines, and none in comments', () => {
    const text = `
      import {
        a,
        type B,
      } from './one.ts';
      import type { C } from './two.ts';
      import './three.ts';
      export { d } from './four.ts';
      export type * from './five.ts';
      // import { no } from './comment.ts';
      /** import { no } from './doc.ts' */
      const e = await import('./six.ts');
      import f from './seven.ts'; import * as g from './eight.ts';
    `;
    expect(readImports('x.ts', text).map(({ specifier, typeOnly }) => [specifier, typeOnly])).toEqual([
      ['./one.ts', false],
      ['./two.ts', true],
      ['./three.ts', false],
      ['./four.ts', false],
      ['./five.ts', true],
      ['./six.ts', false],
      ['./seven.ts', false],
      ['./eight.ts', false],
    ]);
  });
});

describe('the lint rule', () => {
  let folder: string;
  let complaints: Set<string>;
  const place = (kind: string, index: number, file: string): string =>
    // One file per example, in a folder of its own below the part; fixed names stay where they are.
    file.endsWith('/x.ts') ? file.replace('/x.ts', `/${kind}${index}.ts`) : file;
  /** Names must differ within a file, or it would not even be parsed. */
  const distinct = (statement: string, index: number): string =>
    statement.replace(/\{ (\w+) \}/, `{ $1 as name${index} }`);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ebbflow-architecture-'));
    cpSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
    const texts = new Map<string, string>();
    for (const [kind, examples] of [
      ['bad', FORBIDDEN],
      ['good', ALLOWED],
    ] as const)
      for (const [index, [file, statement]] of examples.entries()) {
        const target = place(kind, index, file);
        texts.set(target, `${texts.get(target) ?? ''}${distinct(statement, index)}\n`);
      }
    for (const [file, text] of texts) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    const { stdout } = spawnSync('oxlint', ['--format', 'json', '.'], { cwd: folder, encoding: 'utf8' });
    const report: {
      diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[];
    } = JSON.parse(stdout);
    complaints = new Set(
      report.diagnostics
        .filter(({ code }) => code === 'eslint(no-restricted-imports)')
        .map(({ filename, labels }) => `${filename.replace('./', '')}:${labels[0]?.span.line}`),
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const location = (kind: string, index: number, file: string, statement: string): string => {
    const target = place(kind, index, file);
    const line =
      readFileSync(join(folder, target), 'utf8').split('\n').indexOf(distinct(statement, index)) + 1;
    return `${target}:${line}`;
  };

  it.each(FORBIDDEN.map(([file, statement], index) => ({ file, statement, index })))(
    'refuses in $file: $statement',
    ({ file, statement, index }) => {
      expect([...complaints]).toContain(location('bad', index, file, statement));
    },
  );

  it.each(ALLOWED.map(([file, statement], index) => ({ file, statement, index })))(
    'allows in $file: $statement',
    ({ file, statement, index }) => {
      expect([...complaints]).not.toContain(location('good', index, file, statement));
    },
  );
});

describe('the repository', () => {
  it('has no default exports and no barrels', () => {
    const barrels = sources.filter((file) => {
      const statements = readFileSync(join(root, file), 'utf8')
        .replace(/\/\*[\s\S]*?\*\//g, '')
        .split(';')
        .map((statement) => statement.trim())
        .filter((statement) => statement !== '');
      return statements.length > 1 && statements.every((statement) => /^export\b.*\bfrom\b/s.test(statement));
    });
    expect(barrels).toEqual([]);
  });

  it('reads the environment and arguments of the process only in composition roots', () => {
    const roots = /^(operator\/(main|config)\.ts|workers\/(.*\/)?(main|[a-z]*main)\.ts|cli\/.*)$/;
    const readers = sources.filter(
      (file) =>
        file.startsWith('operator/') &&
        !roots.test(file) &&
        /\bprocess\.(env|argv|exit|on)\b/.test(readFileSync(join(root, file), 'utf8')),
    );
    expect(readers).toEqual([]);
  });

  it('tracks no file that git should not see', () => {
    const files = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n');
    expect(files.filter((file) => /(^|\/)(node_modules|dist|\.env)(\/|$)/.test(file))).toEqual([]);
  });
});
