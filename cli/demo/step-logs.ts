// Somebody types a card number where an article number belongs, and the sale writes into its log what it
// refused. The on-call pulls that log: the number is masked before the till writes it to its disk.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorKind } from '../verbs/errors.ts';
import { askTill } from './cashier.ts';
import { pullLogs } from './logs.ts';
import { dataDirOf, portFileOf, TILLS } from './plan.ts';
import { until } from './watch.ts';
import type { Step, World } from './world.ts';

const LOGGED_MS_MAX = 10_000;
/** The test number of the card brands' own documents; no bank ever gave it out. */
const CARD = '4111-1111-1111-1111';
const MASK = /\[PAN visa \.{4}1111\]/;
const SHOWN_CHARS_MAX = 72;
/** As the sale words it. */
const REFUSED = 'item refused';

export const logsPulled: Step = {
  title: 'Logs are pulled, card numbers masked',
  run: async (world) => {
    const [terminal, component, reason] = ['bm-lane-1', 'sale', 'article refused'];
    const till = TILLS.find(({ id }) => id === terminal);
    if (till === undefined) return `there is no ${terminal}`;
    const portFile = portFileOf(dataDirOf(world.place, till, component), component);
    const item = await askTill(portFile, 'POST', '/basket/items', { sku: CARD, quantity: 1 });
    if (item?.status !== 422) return 'the sale did not refuse a card number as an article';
    world.tell.say(`At ${terminal} a customer’s card number was typed as an article: refused.`);
    const command = `tillwatch logs ${terminal} -c ${component} --since 10m --reason "${reason}"`;
    world.tell.say(command);
    const askedMs = Date.now();
    let why = 'the refusal is not in the log';
    const pulled = await until(LOGGED_MS_MAX, world.signal, async () => {
      const pull = await pullLogs(world, { terminal, component, reason });
      if (!pull.ok) why = pull.why;
      return pull.ok && pull.records.some(({ text }) => MASK.test(text)) ? pull : undefined;
    });
    if (pulled === undefined) return why;
    const { records, bytes } = pulled;
    world.tell.at(Date.now() - askedMs, `${records.length} records, ${bytes} bytes; of these:`);
    const digits = CARD.replaceAll('-', '');
    if (records.some(({ text }) => text.replaceAll(/[ -]/g, '').includes(digits))) {
      return 'a card number left the till';
    }
    const masked = records.filter(({ text }) => MASK.test(text)).slice(-1);
    world.tell.lines(['', ...masked.map(({ text }) => `   ${short(text)}`), '']);
    const logs = join(dataDirOf(world.place, till, 'agent'), 'logs', component);
    if (readdirSync(logs).some((name) => readFileSync(join(logs, name), 'utf8').includes(CARD))) {
      return 'a card number stands in a file of the till';
    }
    world.tell.good('signed for this one till and audited; the log on its disk is masked too');
    return await tellKind(world, terminal, component);
  },
};

/** What the centre knew before anybody asked for a line. */
async function tellKind(
  world: World,
  terminal: string,
  component: string,
): Promise<string | undefined> {
  const path = `/api/v1/errors?terminal=${terminal}&component=${component}`;
  const kind = await until(LOGGED_MS_MAX, world.signal, async () => {
    const reply = await world.client.get<{ errors: readonly ErrorKind[] }>(path, ['errors']);
    const kinds = reply.ok ? reply.value.errors : [];
    return kinds.find(({ pattern }) => pattern.includes(REFUSED));
  });
  if (kind === undefined) return 'the centre does not know that kind of error';
  const [version] = kind.versions;
  const where = `${component} ${version?.version ?? ''}`;
  world.tell.say(`tillwatch errors: new, ${where}, ${kind.level}: ${kind.pattern}`);
  return undefined;
}

/** The words of a record, as the verb shows them. */
function short(text: string): string {
  try {
    const { message = '', reason = '' } = JSON.parse(text) as Record<string, string>;
    return `${message}: ${reason}`.slice(0, SHOWN_CHARS_MAX);
  } catch {
    return text.slice(0, SHOWN_CHARS_MAX);
  }
}
