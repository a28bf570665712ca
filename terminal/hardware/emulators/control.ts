// The hand that breaks things: routes that put a pretend printer and a pretend scanner into each of their
// faults, for demonstrations and for tests in other languages. Loopback only, like all local servers here.

import * as v from 'valibot';
import { answer, type Reply, type Route, withBody } from '../../shared/http.ts';
import { CUTTERS, PAPER, type PrinterEmulator } from './printer.ts';
import type { ScannerEmulator } from './scanner.ts';

const SCAN_CHARS_MAX = 200;

const one = <const W extends readonly [string, ...string[]]>(words: W) =>
  v.strictObject({ state: v.picklist(words, `use one of ${words.join(', ')}`) });

const scanBody = v.strictObject({
  data: v.pipe(
    v.string('give a text'),
    v.maxLength(SCAN_CHARS_MAX, `use at most ${SCAN_CHARS_MAX} characters`),
  ),
});
const post = (path: string, run: Route['run']): Route => ({ method: 'POST', path, run });
/** Every fault is answered with what is the case now. */
const then =
  <T>(state: () => Reply, act: (body: T) => void | Promise<void>) =>
  async (body: T): Promise<Reply> => {
    await act(body);
    return state();
  };

function connectionRoutes(
  printer: PrinterEmulator,
  scanner: ScannerEmulator,
  state: () => Reply,
): Route[] {
  const dropped = async (what: PrinterEmulator | ScannerEmulator, word: string) => {
    if (word === 'dropped') await what.drop();
    else if (word === 'back') await what.comeBack();
    else {
      what.setSilent(word === 'silent');
      what.setHung(word === 'hung');
    }
  };
  const words = one(['dropped', 'back', 'silent', 'hung', 'well']);
  return [
    post(
      '/printer',
      withBody(
        words,
        then(state, (body) => dropped(printer, body.state)),
      ),
    ),
    post(
      '/scanner',
      withBody(
        words,
        then(state, (body) => dropped(scanner, body.state)),
      ),
    ),
  ];
}

export function controlRoutes(printer: PrinterEmulator, scanner: ScannerEmulator): Route[] {
  const state = (): Reply =>
    answer(200, { printer: printer.state(), scanner: { hosts: scanner.hosts } });
  const opening = one(['open', 'closed']);
  const wedge = (): Reply => {
    printer.wedge();
    return state();
  };
  return [
    { method: 'GET', path: '/state', run: state },
    { method: 'GET', path: '/receipts', run: () => answer(200, { receipts: printer.receipts }) },
    post(
      '/paper',
      withBody(
        one(PAPER),
        then(state, (body) => printer.setPaper(body.state)),
      ),
    ),
    post(
      '/cover',
      withBody(
        opening,
        then(state, (body) => printer.setCover(body.state)),
      ),
    ),
    post(
      '/cutter',
      withBody(
        one(CUTTERS),
        then(state, (body) => printer.setCutter(body.state)),
      ),
    ),
    post(
      '/drawer',
      withBody(
        opening,
        then(state, (body) => printer.setDrawer(body.state)),
      ),
    ),
    post('/wedge', wedge),
    ...connectionRoutes(printer, scanner, state),
    post(
      '/scan',
      withBody(scanBody, ({ data }) => answer(200, { hosts: scanner.scan(data) })),
    ),
  ];
}
