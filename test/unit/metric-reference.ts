// The same answer as protocol/metric-columns.ts by other means: the generated decoder and plain loops, as
// slow as they are. What the two agree on under any bytes is most likely what the schema says.

import { checkHead } from '../../protocol/metric-head.ts';
import { decodeRaw, list, num, text } from '../../protocol/wire.ts';

type Raw = Readonly<Record<string, unknown>>;
type Columns = {
  readonly timesMs: readonly number[];
  readonly series: readonly object[];
};

const numbers = (value: unknown): number[] => (list(value) as readonly unknown[]).map(num);

/** Sums in whole numbers of any size; undefined where one is not safe. */
function sums(deltas: readonly unknown[]): number[] | undefined {
  let sum = 0n;
  const all = deltas.map((delta) => {
    sum += BigInt(String(delta));
    return Number(sum);
  });
  const safe = (value: number): boolean => Number.isSafeInteger(value);
  return all.every(safe) && numbers(deltas).every(safe) ? all : undefined;
}

const scale = (values: readonly number[] | undefined, decimals: number): number[] | undefined =>
  decimals > 15 ? undefined : values?.map((value) => value / Number(`1e${decimals}`));

function ownValues(raw: Raw): readonly number[] | undefined {
  const [whole, scaled] = [list(raw['wholeDeltas']), list(raw['scaledDeltas'])];
  const plain = numbers(raw['values']);
  if ([whole, scaled, plain].filter(({ length }) => length > 0).length > 1) return undefined;
  if (whole.length > 0) return sums(whole);
  return scaled.length > 0 ? scale(sums(scaled), num(raw['decimals'])) : plain;
}

/** Within all limits, or undefined; sizes are not looked at. */
export function referenceColumns(data: Uint8Array): Columns | undefined {
  const raw = decodeRaw('MetricBody', data, data.length);
  if (!raw.ok) return undefined;
  const timesMs = sums(list(raw.value['timeDeltasMs']));
  if (timesMs === undefined || timesMs.some((time) => time < 0)) return undefined;
  const forms = numbers(raw.value['forms']);
  const entries = list(raw.value['series']);
  if (forms.length !== 0 && forms.length !== entries.length) return undefined;
  const deltas = [...list(raw.value['deltas'])];
  const doubles = numbers(raw.value['doubles']);
  const series: object[] = [];
  for (const [i, entry] of entries.entries()) {
    const flat = (list(entry['labels']) as readonly unknown[]).map(text);
    const head = checkHead(text(entry['name']), flat);
    if (!head.ok || head.value.own !== undefined) return undefined;
    const at = numbers(entry['at']);
    if (at.some((place, k) => place >= timesMs.length || place <= (at[k - 1] ?? -1))) {
      return undefined;
    }
    const count = at.length === 0 ? timesMs.length : at.length;
    const form = forms[i] ?? 0;
    const own = ownValues(entry);
    if (form > 17 || (form > 0 && own?.length !== 0)) return undefined;
    let values = own;
    if (form === 17) values = doubles.splice(0, count);
    else if (form > 0) values = scale(sums(deltas.splice(0, count)), form - 1);
    if (values?.length !== count) return undefined;
    const { name, labels } = head.value;
    series.push({ name, labels, at: at.length === 0 ? undefined : at, values });
  }
  return deltas.length + doubles.length > 0 ? undefined : { timesMs, series };
}
