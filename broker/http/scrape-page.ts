// Writes samples of many terminals as a page that Prometheus reads: each name once with its help and type, and
// all its samples under it [exposition format 0.0.4]. Written in pieces, because prom-client would render
// 100 000 series in one go while nobody is acknowledged (research/mqtt.md section 5). Without timestamps: an
// explicit time switches off Prometheus's own notion of a series that has ended, and a component that is gone
// would be drawn as a line for five more minutes (the same, 4.2). A sample is then up to 75 s older than its
// scrape says; who needs the times as they were takes remote write.

import type { Sample } from '../../protocol/metric-body.ts';
import { catalogue, isMetricName } from '../../protocol/metrics.ts';

/** What one terminal has to show. */
export type Shown = {
  readonly store: string;
  readonly terminal: string;
  readonly samples: readonly Sample[];
};

/** Samples handled without letting go of the loop: a few milliseconds. */
const PIECE_SAMPLES = 2_000;

export const PAGE_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const PASSED_ON = 'Of a component, passed on as it was.';

type Line = { readonly own: string; readonly sample: Sample };
type Family = { readonly name: string; readonly help: string; readonly type: string };

const escapeValue = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

function lineOf({ own, sample: { name, labels, value } }: Line): string {
  let text = own;
  // What the registry says carries its own store and terminal already.
  for (const label of Object.keys(labels)) {
    if (label === 'store' || label === 'terminal') continue;
    text += `,${label}="${escapeValue(labels[label] ?? '')}"`;
  }
  return `${name}{${text}} ${valueText(value)}\n`;
}

const HISTOGRAM = /_(bucket|sum|count)$/;

/** The family that a name belongs to: histograms of components have three names. */
function familyOf(name: string, names: ReadonlyMap<string, unknown>): Family {
  if (isMetricName(name)) {
    const { help, type } = catalogue[name];
    return { name, help, type };
  }
  const base = name.replace(HISTOGRAM, '');
  const isHistogram =
    base !== name && ['bucket', 'sum', 'count'].every((part) => names.has(`${base}_${part}`));
  if (isHistogram) return { name: base, help: PASSED_ON, type: 'histogram' };
  return { name, help: PASSED_ON, type: 'untyped' };
}

/** Names in order, those of one histogram together. */
function familiesOf(
  names: ReadonlyMap<string, readonly Line[]>,
): Map<string, Family & { names: string[] }> {
  const families = new Map<string, Family & { names: string[] }>();
  for (const name of [...names.keys()].sort()) {
    const family = familyOf(name, names);
    const known = families.get(family.name) ?? { ...family, names: [] };
    known.names.push(name);
    families.set(family.name, known);
  }
  return families;
}

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** @returns pieces of the page; between two the loop is free. */
export async function* pageOf(terminals: readonly Shown[]): AsyncGenerator<string> {
  const names = new Map<string, Line[]>();
  let handled = 0;
  for (const { store, terminal, samples } of terminals) {
    const own = `store="${escapeValue(store)}",terminal="${escapeValue(terminal)}"`;
    for (const sample of samples) {
      const lines = names.get(sample.name);
      if (lines === undefined) names.set(sample.name, [{ own, sample }]);
      else lines.push({ own, sample });
    }
    handled += samples.length;
    if (handled < PIECE_SAMPLES) continue;
    handled = 0;
    await breathe();
  }
  let piece = '';
  for (const { name: family, help, type, names: members } of familiesOf(names).values()) {
    piece += `# HELP ${family} ${escapeHelp(help)}\n# TYPE ${family} ${type}\n`;
    for (const name of members) {
      for (const line of names.get(name) ?? []) {
        piece += lineOf(line);
        handled += 1;
        if (handled < PIECE_SAMPLES) continue;
        handled = 0;
        yield piece;
        piece = '';
        await breathe();
      }
    }
  }
  yield piece;
}
