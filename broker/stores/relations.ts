// What no single value of a list of stores can tell: an id that is there twice, a terminal in two stores, a date in two
// exceptions. Asked of the raw value, so that it is told beside whatever else is wrong with the file.

export type Path = readonly (string | number)[];
export type Found = { readonly path: Path; readonly sentence: string };

/** As many as one broker has. */
export const ALL_TERMINALS_MAX = 20_000;

type Raw = Readonly<Record<string, unknown>>;
const rawOf = (value: unknown): Raw =>
  typeof value === 'object' && value !== null ? (value as Raw) : {};
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

type Dates = { readonly place: number; readonly from: string; readonly to: string };
/** Dates as YYYY-MM-DD sort by time; those that are none are told elsewhere. */
function* twiceDated(exceptions: readonly unknown[]): Generator<Dates> {
  const dates = exceptions.flatMap((one, place): Dates[] => {
    const said = rawOf(one);
    const from = textOf(said['date'] ?? said['from']);
    const to = textOf(said['date'] ?? said['to']);
    return from === undefined || to === undefined ? [] : [{ place, from, to }];
  });
  let until = '';
  for (const one of dates.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    if (one.from <= until) yield one;
    if (one.to > until) until = one.to;
  }
}

export function* relations(value: unknown): Generator<Found> {
  const first = new Map<string, number>();
  const stands = new Map<string, string>();
  for (const [at, entry] of listOf(rawOf(value)['stores']).entries()) {
    const { id: own, terminals, exceptions } = rawOf(entry);
    const id = textOf(own) ?? '';
    const earlier = first.get(id);
    if (earlier === undefined) first.set(id, at);
    else if (id !== '') {
      const sentence = `"${id.slice(0, 64)}" is the id of stores[${earlier}] already`;
      yield { path: ['stores', at, 'id'], sentence };
    }
    for (const [place, one] of listOf(terminals).entries()) {
      const name = textOf(one) ?? textOf(rawOf(one)['id']);
      if (name === undefined) continue;
      const where = stands.get(name);
      stands.set(name, where ?? id);
      if (where === undefined) continue;
      const sentence = `"${name.slice(0, 64)}" stands in ${where.slice(0, 64)} already`;
      yield { path: ['stores', at, 'terminals', place], sentence };
    }
    for (const { place, from } of twiceDated(listOf(exceptions))) {
      const sentence = `${from.slice(0, 20)} is in another exception already`;
      yield { path: ['stores', at, 'exceptions', place], sentence };
    }
  }
  if (stands.size > ALL_TERMINALS_MAX) {
    const sentence = `at most ${ALL_TERMINALS_MAX} terminals fit one broker`;
    yield { path: ['stores'], sentence };
  }
}
