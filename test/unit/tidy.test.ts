// What the linter cannot see: sizes, direct use of clock and processes, dead files, and whether the
// folders agree with each other. It reads the source as text; a failing line says what to do instead.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOMS = [
  'protocol',
  'redact',
  'configuration',
  'agent',
  'terminal',
  'broker',
  'dashboards',
  'alerts',
  'cli',
  'test',
];
const LINES_MAX = 300;

const sources = ROOMS.filter((room) => existsSync(room))
  .flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: 'utf8' }).map((f) => join(room, f)),
  )
  .filter(
    (file) =>
      /\.(ts|tsx|js)$/.test(file) && !file.includes('generated') && !file.includes('node_modules'),
  );
const product = sources.filter((file) => !file.startsWith('test/'));
const read = (file: string): string => readFileSync(file, 'utf8');
const withoutComments = (source: string): string =>
  source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');

/** Files inside agent/ that own files or the clock; everything else goes through ports.ts. */
const AGENT_DOORS = [
  /^agent\/system(\.ts|\/)/,
  /^agent\/main\.ts$/,
  /^agent\/channel\/(client|orders|work|witness)\.ts$/,
];
const AGENT_FILE_OWNERS = [
  ...AGENT_DOORS,
  /^agent\/telemetry\/outbox/,
  /^agent\/telemetry\/store/,
  /^agent\/logs\//,
  /^agent\/evidence\//,
];

const BANNED: { what: RegExp; where: RegExp; except: RegExp[]; instead: string }[] = [
  {
    what: /\bDate\.now\(|new Date\(\)/,
    where: /^(agent|broker)\//,
    except: [...AGENT_DOORS, /^broker\/clock\.ts$/, /^agent\/logs\//],
    instead: 'time is passed in: use the clock port',
  },
  {
    what: /\bperformance\.now\(/,
    where: /^(agent|broker)\//,
    except: [...AGENT_DOORS, /^broker\/clock\.ts$/],
    instead: 'use clock.monotonicMs()',
  },
  {
    what: /(?<![.\w])set(Timeout|Interval)\(/,
    where: /^agent\//,
    except: AGENT_DOORS,
    instead: 'use the timers port',
  },
  {
    what: /import\('yaml'\)/,
    where: /^(agent|broker|cli|configuration)\//,
    except: [],
    instead: 'a bundle loses its names (CommonJS): import it in a file that is itself loaded late',
  },
  {
    what: /from 'node:child_process'/,
    where: /^(agent|broker)\//,
    except: AGENT_DOORS,
    instead: 'processes start and end in agent/system.ts only',
  },
  {
    what: /process\.kill\(/,
    where: /^(agent|broker|terminal)\//,
    except: AGENT_DOORS,
    instead: 'signals go out through the control, after an identity check',
  },
  {
    what: /from 'node:fs'/,
    where: /^agent\//,
    except: AGENT_FILE_OWNERS,
    instead: 'use the files port',
  },
  { what: /\bas any\b|: any\b/, where: /./, except: [], instead: 'unknown and a check' },
  { what: /@ts-(ignore|nocheck)/, where: /./, except: [], instead: 'fix the type' },
  {
    what: new RegExp('\\b(FIX' + 'ME|X' + 'XX|HA' + 'CK)\\b'),
    where: /./,
    except: [],
    instead: 'finish it or write it into the known limits',
  },
];

describe('the source', () => {
  it('keeps every file under 300 lines', () => {
    const long = sources
      .map((f) => [f, read(f).split('\n').length - 1] as const)
      .filter(([, n]) => n > LINES_MAX);
    expect(long).toEqual([]);
  });

  it('opens every product file with a comment that says what it does', () => {
    const silent = product.filter((f) => !/^(#!.*\n)?(\/\/|\/\*)/.test(read(f)));
    expect(silent).toEqual([]);
  });

  it('touches clock, timers, processes and files only where the design allows it', () => {
    const found = BANNED.flatMap(({ what, where, except, instead }) =>
      sources
        .filter(
          (f) =>
            where.test(f) && !except.some((door) => door.test(f)) && f !== 'test/unit/tidy.test.ts',
        )
        .filter((f) => what.test(withoutComments(read(f))))
        .map((f) => `${f}: ${what} is banned here: ${instead}`),
    );
    expect(found).toEqual([]);
  });

  it('has no dead file: each is imported, is a program, or is named in package.json', () => {
    const named = read('package.json') + read('cli/build.js');
    const imported = new Set<string>();
    for (const file of sources) {
      for (const match of read(file).matchAll(
        /(?:from|import|import\()\s*\(?\s*['"](\.[^'"]+)['"]/g,
      )) {
        imported.add(relative('.', resolve(dirname(file), match[1] ?? '')));
      }
    }
    const entry =
      /(^|\/)(main|[a-z-]+-main|index)\.tsx?$|\.test\.ts$|^cli\/(bin|install|build)\.js$|^test\/(bench|real|long)\//;
    expect(product.filter((f) => !imported.has(f) && !entry.test(f) && !named.includes(f))).toEqual(
      [],
    );
  });

  it('names no path of the machine it was written on', () => {
    const here = `${dirname(resolve('.'))}/`;
    const files = [
      ...sources,
      'README.md',
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'package.json',
    ].filter((f) => existsSync(f));
    expect(here === '/' ? [] : files.filter((f) => read(f).includes(`${here}main`))).toEqual([]);
  });
});
