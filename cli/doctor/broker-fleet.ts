// What the broker does for others: whether it says that it commits what comes, how far its readers are behind, and which
// terminals are silent. Read beside it from its own files, so that it works while nobody can sign in.

import { existsSync } from 'node:fs';
import { get as getPlain } from 'node:http';
import { request } from 'node:https';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { BrokerConfig } from '../../broker/config.ts';
import { age, plural, tame } from '../screen.ts';
import type { BrokerFacts } from './broker-facts.ts';
import { configured, ROOT } from './broker-machine.ts';
import { bad, type Check, type Finding, good, skipped, warn } from './check.ts';
import { reading } from './databases.ts';
import { codeOf, inWords, see } from './look.ts';

const ASK_MS_MAX = 5_000;

type Answer = { readonly status: number; readonly text: string };

function askReady(
  { plainText, http, names: all }: BrokerConfig,
  { told, authorities }: BrokerFacts,
): Promise<Answer> {
  const port = told?.httpPort ?? http.port;
  const host = http.host === '0.0.0.0' || http.host === '::' ? '127.0.0.1' : http.host;
  const secure = {
    // A certificate for people is somebody else's: what is asked for is public, and nothing secret is said.
    ...{ rejectUnauthorized: http.certificate === undefined, ca: [...authorities] },
    ...{
      allowPartialTrustChain: true,
      servername: all.find((one) => isIP(one) === 0) ?? 'localhost',
    },
    checkServerIdentity: () => undefined,
  };
  const common = { host, port, path: '/readyz', timeout: ASK_MS_MAX, agent: false };
  return new Promise((done, failed) => {
    const asked = plainText ? getPlain(common) : request({ ...common, ...secure });
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', failed);
    asked.on('response', (answer) => {
      let text = '';
      answer.on('data', (part) => (text += part));
      answer.on('end', () => done({ status: answer.statusCode ?? 0, text }));
    });
    asked.end();
  });
}

async function ready(config: BrokerConfig, facts: BrokerFacts): Promise<readonly Finding[]> {
  if (facts.process === undefined) return [skipped('no broker runs')];
  try {
    const { status, text } = await askReady(config, facts);
    if (status === 200) return [good('it commits what terminals send, and the registry follows')];
    const said = /"detail":"([^"]*)"/.exec(text)?.[1] ?? `it answered ${status}`;
    return [
      bad(
        tame(said),
        'look at the disk (above) and at the last lines of broker.log in its data folder',
      ),
    ];
  } catch (error) {
    return [
      bad(
        `it does not answer: ${inWords(codeOf(error))}`,
        'look at the last lines of broker.log in its data folder; then restart it',
      ),
    ];
  }
}

/** So long a reader may be behind what was received before it is worth a word. */
const BEHIND_MS_MAX = 5 * 60_000;

function behindOf(what: string, dataDir: string, cursor: number, nowMs: number): Finding {
  const { left, oldestMs } = reading(join(dataDir, 'ledger.db'), ({ rows }) => {
    const [row = {}] = rows(
      'select count(*) as left, min(received_ms) as oldest from batch where id > ?',
      cursor,
    );
    return { left: Number(row['left']), oldestMs: Number(row['oldest'] ?? 0) };
  });
  const waits = left === 0 ? 0 : Math.max(0, nowMs - oldestMs);
  const is = `${what}: ${left} batches behind${left === 0 ? '' : `, the oldest came ${age(waits)} ago`}`;
  if (waits <= BEHIND_MS_MAX) return good(is);
  const todo =
    what === 'registry'
      ? 'look at the processor and the disk of this machine, and at broker.log'
      : 'tillwatch sinks says what its database answers; look there first';
  return warn(is, todo);
}

function ledger({ dataDir, sinks }: BrokerConfig, { nowMs }: BrokerFacts): readonly Finding[] {
  if (!existsSync(join(dataDir, 'ledger.db')))
    return [skipped('there is no ledger yet, or it may not be seen')];
  const seen = see(() => {
    const found: Finding[] = [];
    const own = reading(join(dataDir, 'registry.db'), ({ number }) =>
      number('select ledger_id from cursor'),
    );
    found.push(behindOf('registry', dataDir, own, nowMs));
    const path = join(dataDir, 'sinks.db');
    const cursors = existsSync(path)
      ? reading(path, ({ rows }) => rows('select sink, ledger_id as id from cursor'))
      : [];
    const wanted = JSON.stringify(sinks);
    for (const { sink, id } of cursors) {
      if (wanted.includes(String(sink)))
        found.push(behindOf(`sink ${tame(String(sink))}`, dataDir, Number(id), nowMs));
    }
    const letters = reading(join(dataDir, 'registry.db'), ({ number }) =>
      number('select count(*) from dead_letters'),
    );
    if (letters > 0)
      found.push(
        warn(
          `${plural(letters, 'batch')} could not be read and are kept as dead letters`,
          'an agent of another version, or a damaged one: select * from dead_letters in registry.db says which and why',
        ),
      );
    return found;
  });
  return seen.ok
    ? seen.value
    : [skipped(`it cannot be read beside the broker: ${seen.code}`, ROOT)];
}

const SHOWN_MAX = 5;

function terminals({ dataDir }: BrokerConfig, { process: own }: BrokerFacts): readonly Finding[] {
  const path = join(dataDir, 'registry.db');
  if (!existsSync(path)) return [skipped('there is no registry yet, or it may not be seen')];
  const seen = see(() =>
    reading(path, ({ rows }) => rows('select id, presence from terminals order by id')),
  );
  if (!seen.ok)
    return [skipped(`the registry cannot be read beside the broker: ${seen.code}`, ROOT)];
  const of = (presence: string): string[] =>
    seen.value.filter((row) => row['presence'] === presence).map((row) => String(row['id']));
  const shown = (ids: readonly string[]): string => {
    const more = ids.length - SHOWN_MAX;
    return ids.slice(0, SHOWN_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '');
  };
  const when = own === undefined ? ' when it last ran' : '';
  const found = [good(`${of('online').length} of ${seen.value.length} online${when}`)];
  const look = 'tillwatch terminal TERMINAL says since when and why; at the till: tillwatch doctor';
  for (const presence of ['late', 'lost'] as const) {
    const ids = of(presence);
    if (ids.length > 0) found.push(warn(`${ids.length} ${presence}: ${shown(ids)}`, look));
  }
  const never = of('never');
  if (never.length > 0)
    found.push(
      warn(
        `${never.length} never reported: ${shown(never)}`,
        'enrol them (tillwatch enroll), or take them out of the plan',
      ),
    );
  return found;
}

export const brokerFleetChecks: readonly Check<BrokerFacts>[] = [
  { name: 'ready', what: 'whether it commits and follows', run: configured(ready) },
  { name: 'ledger', what: 'how far registry and sinks are behind', run: configured(ledger) },
  { name: 'terminals', what: 'who is late, lost or never reported', run: configured(terminals) },
];
