// npm run bench -- NAME [--json]: runs one benchmark on the built programs. Everything before the last
// line is for people; exit code 0 says that it ran, `ok` whether each target was met.

import { parseArgs } from 'node:util';
import { print, type Report } from './harness.ts';

type Options = { readonly seconds: number | undefined; readonly n: number | undefined };
const benchmarks: Record<string, () => Promise<{ run: (options: Options) => Promise<Report> }>> = {
  recovery: () => import('./recovery.ts'),
  footprint: () => import('./footprint.ts'),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, seconds: { type: 'string' }, n: { type: 'string' } },
});
const load = benchmarks[positionals[0] ?? ''];
if (load === undefined) {
  const names = Object.keys(benchmarks).join(' | ');
  console.error(`usage: npm run bench -- ${names} [--json] [--n COUNT] [--seconds TIME]`);
  process.exit(64);
}
const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
const { run } = await load();
const report = await run({ seconds: number(values.seconds), n: number(values.n) });
print(report, values.json === true);
