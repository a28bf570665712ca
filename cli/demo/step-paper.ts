// A receipt is printed; then the paper of another till ends. Paper is no fault of a program: nothing is
// started again for it, the cashier sells on, and receipts wait for the new roll or end by their time.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, benchOf, lifeOf, troublesOf } from './devices.ts';
import { pullLogs } from './logs.ts';
import { money } from './teller.ts';
import { until } from './watch.ts';
import type { Failure, Step, World } from './world.ts';

const PRINT_MS_MAX = 15_000;
const SEEN_MS_MAX = 10_000;
/** Lines are searched by a process of their own, at the lowest priority that there is. */
const TOLD_MS_MAX = 30_000;
const METRIC_MS_MAX = 20_000;
const SELL_MS_MAX = 20_000;
const REFILLED_MS_MAX = 20_000;
const BASKET_LINES = 2;
const COMPONENT = 'hardware';
const DEVICE = 'printer';
const OUT_OF_PAPER = 'EPTR_REC_EMPTY';
const IN_THE_VIEW = 'out of paper';

export const receiptPrints: Step = {
  title: 'A sale ends with a receipt',
  run: async (world) => {
    const terminal = 'bm-lane-1';
    const [cashier, bench] = [world.cashiers.get(terminal), benchOf(world, terminal)];
    if (cashier === undefined || bench === undefined) return `nobody sells at ${terminal}`;
    const basket = await Promise.race([
      cashier.openBasket(BASKET_LINES),
      sleep(SELL_MS_MAX, undefined, { ref: false }),
    ]);
    if (basket === undefined) return cashier.faults()[0] ?? `nothing is sold at ${terminal}`;
    const before = new Set(await bench.receipts());
    const paidMs = Date.now();
    cashier.goOn();
    const total = new RegExp(`^TOTAL .* ${money(basket.totalMinor).replace(' EUR', '')}$`, 'm');
    const receipt = await until(PRINT_MS_MAX, world.signal, async () =>
      (await bench.receipts()).find((text) => !before.has(text) && total.test(text)),
    );
    if (receipt === undefined) return `no receipt came out in ${PRINT_MS_MAX / 1000} s`;
    world.tell.at(Date.now() - paidMs, `from the printer of ${terminal}, as it was cut:`);
    const lines = receipt.trimEnd().split('\n');
    world.tell.lines(['', ...lines.map((line) => `   ${line}`.trimEnd()), '']);
    const [, sale = ''] = /^Sale (\S+)$/m.exec(receipt) ?? [];
    const job = await until(PRINT_MS_MAX, world.signal, async () => {
      const seen = await bench.ask<{ state: string }>(COMPONENT, `/jobs/${sale}`);
      return seen?.state === 'done' ? seen : undefined;
    });
    if (job === undefined) return 'it was printed and the till does not know it';
    world.tell.good('paid, printed and cut; the till has the printer’s word for it');
    return undefined;
  },
};

export const paperEnds: Step = {
  title: 'A printer runs out of paper',
  run: async (world) => {
    const terminal = 'ha-lane-1';
    const [cashier, bench] = [world.cashiers.get(terminal), benchOf(world, terminal)];
    if (cashier === undefined || bench === undefined) return `nobody sells at ${terminal}`;
    const life = await lifeOf(world, terminal, COMPONENT);
    if (!(await bench.set('/paper', { state: 'end' }))) return 'the paper could not be taken out';
    const emptyMs = Date.now();
    const trouble = await until(SEEN_MS_MAX, world.signal, async () => {
      const facts = await bench.device(COMPONENT, DEVICE);
      return facts?.errorCode === OUT_OF_PAPER ? facts : undefined;
    });
    if (trouble === undefined) return `the till did not see it in ${SEEN_MS_MAX / 1000} s`;
    world.tell.at(
      Date.now() - emptyMs,
      `${terminal} knows: ${trouble.text} (${trouble.state}, ${trouble.errorCode})`,
    );
    const [rung, printed] = [cashier.sold(), await bench.printed()];
    const logged = await until(TOLD_MS_MAX, world.signal, async () => {
      const reason = 'receipts are missing';
      const pulled = await pullLogs(world, { terminal, component: COMPONENT, reason });
      return pulled.ok ? pulled.records.find(({ text }) => text.includes(OUT_OF_PAPER)) : undefined;
    });
    if (logged === undefined) return 'the centre was not told why';
    world.tell.at(Date.now() - emptyMs, 'the centre reads the same in the component’s log');
    const troubles = await until(METRIC_MS_MAX, world.signal, async () => {
      const known = await troublesOf(world, terminal, DEVICE);
      return known?.includes(IN_THE_VIEW) ? known : undefined;
    });
    if (troubles === undefined)
      return `the fleet view did not say why in ${METRIC_MS_MAX / 1000} s`;
    world.tell.at(Date.now() - emptyMs, `tillwatch terminal ${terminal} says why`);
    world.tell.lines(['', `      ${DEVICE} (${COMPONENT}): ${troubles.join(', ')}`, '']);
    const sells = await until(SELL_MS_MAX, world.signal, () =>
      cashier.sold() > rung + 1 ? true : undefined,
    );
    if (sells === undefined) return 'the cashier does not sell without paper';
    if ((await bench.printed()) !== printed) return 'something was printed without paper';
    if ((await lifeOf(world, terminal, COMPONENT)) !== life) return 'it was restarted';
    const held = cashier.sold() - rung;
    world.tell.say(
      `No restart: that brings no paper. The cashier sold ${held} times meanwhile; receipts wait.`,
    );
    return await refill(world, bench, { terminal, printed, held, life });
  },
};

type Held = {
  readonly terminal: string;
  readonly printed: number;
  readonly held: number;
  readonly life: string | undefined;
};

async function refill(
  world: World,
  bench: Bench,
  { terminal, printed, held, life }: Held,
): Promise<Failure> {
  if (!(await bench.set('/paper', { state: 'full' }))) return 'no paper could be put in';
  const fullMs = Date.now();
  const count = await until(REFILLED_MS_MAX, world.signal, async () => {
    const now = (await bench.printed()) - printed;
    const facts = await bench.device(COMPONENT, DEVICE);
    return now >= held && facts?.errorCode === undefined ? now : undefined;
  });
  if (count === undefined) return 'what waited for paper was not printed';
  world.tell.at(Date.now() - fullMs, 'a new roll is in: what had waited is printed');
  if ((await lifeOf(world, terminal, COMPONENT)) !== life) return 'it was restarted';
  world.tell.good('out of paper and back; not one process was started again for it');
  return undefined;
}
