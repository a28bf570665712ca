// `tillwatch doctor`: checks, in the order in which a person would, what has to be true for a till or a broker to do its
// work, and says what to do about what is not. It asks nobody for permission, needs neither agent nor network,
// and changes nothing. Whose configuration it gets decides what it looks at: whoever is woken at night knows a
// machine and not which verb belongs to it.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Options } from '../command.ts';
import { type BrokerFacts, readBroker } from '../doctor/broker-facts.ts';
import { brokerFleetChecks } from '../doctor/broker-fleet.ts';
import { brokerMachineChecks } from '../doctor/broker-machine.ts';
import { brokerTrustChecks } from '../doctor/broker-trust.ts';
import { type Check, counts, type Found, isUnknown, runChecks, UNKNOWN } from '../doctor/check.ts';
import { textOf } from '../doctor/look.ts';
import { linesOf, summaryOf } from '../doctor/report.ts';
import { agentChecks, storeChecks } from '../doctor/till-agent.ts';
import { readTill, type TillFacts } from '../doctor/till-facts.ts';
import { machineChecks } from '../doctor/till-machine.ts';
import { wayChecks } from '../doctor/till-way.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import type { Style } from '../screen.ts';
import { recognise } from './check-config.ts';

export const tillChecks = [...machineChecks, ...agentChecks, ...wayChecks, ...storeChecks];
export const brokerChecks = [...brokerMachineChecks, ...brokerTrustChecks, ...brokerFleetChecks];

const PLACES = {
  agent: '/etc/tillwatch/agent.yaml',
  broker: '/etc/tillwatch/broker.yaml',
} as const;
type Kind = keyof typeof PLACES;

export type DoctorContext = {
  readonly print: (line: string) => unknown;
  readonly style: Style;
  readonly env: NodeJS.ProcessEnv;
};

/** By what is in the file; where it cannot be read, by its name. */
function kindOf(file: string): Kind {
  const text = textOf(file);
  const seen = text.ok ? recognise(text.value) : undefined;
  return seen ?? (/broker[^/]*$/.test(file) ? 'broker' : 'agent');
}

function fileOf(options: Options, kind: Kind | undefined): string {
  const said = options['config'];
  if (typeof said === 'string') return resolve(said);
  if (kind !== undefined) return PLACES[kind];
  if (!existsSync(PLACES.agent) && existsSync(PLACES.broker)) return PLACES.broker;
  return PLACES.agent;
}

/** Several with commas. @returns a sentence for a name that is none. */
function chosen<F>(all: readonly Check<F>[], only: unknown): readonly Check<F>[] | string {
  if (typeof only !== 'string') return all;
  const names = only.split(',').map((name) => name.trim());
  const unknown = names.find((name) => all.every((one) => one.name !== name));
  if (unknown === undefined) return all.filter(({ name }) => names.includes(name));
  return `--only: there is no check "${unknown}"; there are ${all.map(({ name }) => name).join(', ')}`;
}

/** Whoever has just started one looks at once: a process may take so long to be there, and to be ready. */
const BEGUN_MS = 1_500;
const READY_MS_MAX = 6_000;
const AGAIN_MS = 250;
/** An agent that began so lately may be on its way to its broker. */
const YOUNG_MS = 15_000;

/** @param state of what is looked at, in these facts. */
async function patiently<F>(
  look: () => F | Promise<F>,
  state: (facts: F) => 'ready' | 'begun' | 'none',
): Promise<F> {
  const begunMs = performance.now();
  for (;;) {
    const facts = await look();
    const now = state(facts);
    const passedMs = performance.now() - begunMs;
    if (now === 'ready' || passedMs > (now === 'begun' ? READY_MS_MAX : BEGUN_MS)) return facts;
    await sleep(AGAIN_MS);
  }
}

const brokerState = ({ process: running, told, config }: BrokerFacts) => {
  if (told !== undefined || config === undefined) return 'ready';
  return running === undefined ? 'none' : 'begun';
};
const tillState = ({ agent, config, identity }: TillFacts) => {
  if (config === undefined || agent.kind === 'hidden') return 'ready';
  if (agent.kind === 'silent') return 'begun';
  // Enrolling takes a moment, and its token is gone before the certificate is seen.
  const isNew = !config.broker.plainText && identity.ok && identity.value === undefined;
  const { upMs = 0, link } = agent.kind === 'answers' ? agent.value : {};
  const isOnItsWay = upMs < YOUNG_MS && link?.connected === false;
  return isNew || isOnItsWay ? 'begun' : 'ready';
};

async function examine<F>(
  wish: { readonly file: string; readonly kind: Kind; readonly json: boolean },
  checks: readonly Check<F>[],
  facts: F,
  { print, style }: DoctorContext,
): Promise<Outcome> {
  const { file, kind, json } = wish;
  const tell = (found: Found): void => {
    if (json || isUnknown(found)) return;
    for (const line of linesOf(found, style)) print(line);
  };
  const all = await runChecks(checks, facts, tell);
  const unknown = all.filter(isUnknown);
  if (!json && unknown.length > 0) {
    const names = unknown.map(({ check }) => check).join(', ');
    for (const line of linesOf(
      { ...UNKNOWN, check: 'others', found: `${UNKNOWN.found}: ${names}` },
      style,
    ))
      print(line);
  }
  const of = counts(all);
  if (json) print(JSON.stringify({ kind, file, ...of, findings: all }, undefined, 2));
  else print(`\n${summaryOf(all)}`);
  return of.fail === 0 ? done : { exit: EXIT.failed };
}

/** @param wanted whose configuration is meant where none is named. */
export async function runDoctor(
  options: Options,
  context: DoctorContext,
  wanted?: Kind,
): Promise<Outcome> {
  const file = fileOf(options, wanted);
  const kind = kindOf(file);
  const wish = { file, kind, json: options['json'] === true };
  const { only } = options;
  if (kind === 'broker') {
    const checks = chosen(brokerChecks, only);
    if (typeof checks === 'string') return ended(EXIT.usage, checks);
    const facts = await patiently(() => readBroker(file, context.env), brokerState);
    return await examine(wish, checks, facts, context);
  }
  const checks = chosen(tillChecks, only);
  if (typeof checks === 'string') return ended(EXIT.usage, checks);
  const facts = await patiently(() => readTill(file, context.env), tillState);
  return await examine(wish, checks, facts, context);
}
