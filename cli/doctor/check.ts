// What a check is and how a row of them is run: each by itself, in order, within a time, and one that breaks is one that
// could not be looked at, never the end of the others. A check changes nothing and needs nobody's help: whoever calls the
// doctor has neither an agent that answers nor a network for certain. A finding says what was seen, and, where it is
// not well, one sentence of what to do.

export const STATES = ['ok', 'warn', 'fail', 'skipped'] as const;
export type State = (typeof STATES)[number];

export type Finding = {
  readonly state: State;
  /** What was seen; for `skipped` why it could not be seen. */
  readonly found: string;
  /** As an order, where it is not well. */
  readonly todo?: string;
};
export type Found = Finding & { readonly check: string };

export type Check<F> = {
  readonly name: string;
  /** For --help and whoever asks for one alone. */
  readonly what: string;
  readonly run: (facts: F) => readonly Finding[] | Promise<readonly Finding[]>;
};

export const good = (found: string): Finding => ({ state: 'ok', found });
export const warn = (found: string, todo: string): Finding => ({ state: 'warn', found, todo });
export const bad = (found: string, todo: string): Finding => ({ state: 'fail', found, todo });
export const skipped = (found: string, todo?: string): Finding =>
  todo === undefined ? { state: 'skipped', found } : { state: 'skipped', found, todo };

/** Of one check: a name server that does not answer takes its time, a disk that hangs for ever. */
const CHECK_MS_MAX = 30_000;

const late = (): Promise<readonly Finding[]> =>
  new Promise((done) => {
    const seconds = CHECK_MS_MAX / 1_000;
    const hangs = bad(
      `no answer within ${seconds} s`,
      'look whether a disk or a network file system hangs: dmesg | tail',
    );
    setTimeout(() => done([hangs]), CHECK_MS_MAX).unref();
  });

async function runOne<F>({ run }: Check<F>, facts: F): Promise<readonly Finding[]> {
  try {
    return await Promise.race([Promise.resolve(run(facts)), late()]);
  } catch (error) {
    return [skipped(`it could not be looked at: ${(error as Error).message}`)];
  }
}

/** @param tell called with each finding as soon as it is there. */
export async function runChecks<F>(
  checks: readonly Check<F>[],
  facts: F,
  tell: (found: Found) => void,
): Promise<readonly Found[]> {
  const all: Found[] = [];
  for (const check of checks) {
    for (const finding of await runOne(check, facts)) {
      const found = { check: check.name, ...finding };
      all.push(found);
      tell(found);
    }
  }
  return all;
}

export const counts = (all: readonly Found[]): Readonly<Record<State, number>> => {
  const of = (state: State): number => all.filter((one) => one.state === state).length;
  return { ok: of('ok'), warn: of('warn'), fail: of('fail'), skipped: of('skipped') };
};

/** What almost every check says where there is no configuration: once is enough for a person. */
export const UNKNOWN = skipped('without a configuration nobody knows where that is');
export const isUnknown = ({ state, found }: Finding): boolean =>
  state === UNKNOWN.state && found === UNKNOWN.found;
