// Which identity an agent has, by its configuration; and which way to its broker follows from it.

import type { AgentConfig } from '../../configuration/config.ts';
import { type Address, parseAddress } from '../../configuration/uplink.ts';
import { formatHello } from '../../protocol/hello.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { TillIdentity } from '../../protocol/till.ts';
import { parseProxy } from '../link/proxy.ts';
import type { Way } from '../link/types.ts';
import type { Log, Ports } from '../ports.ts';
import { readMachine, startEnrol } from '../system/enrol-child.ts';
import type { Outbox } from '../telemetry/types.ts';
import { openIdentity } from './identity.ts';
import { newInstance } from './machine.ts';
import { plainIdentity } from './plain.ts';
import type { AgentIdentity } from './types.ts';

/** Read once: it takes a look at every network interface. */
let machine: string | undefined;
const machineOnce = (): string => {
  machine ??= readMachine();
  return machine;
};
const instance = newInstance();

export function identityFor(
  { broker, trust, terminal, identityDir }: AgentConfig,
  { clock, timers, random }: Ports,
  outbox: Pick<Outbox, 'time' | 'addEvent'>,
  log: Log,
): AgentIdentity {
  const { commandKeys } = trust;
  if (broker.plainText) return plainIdentity(commandKeys);
  return openIdentity({
    ...{ folder: identityDir, terminal, commandKeys, proxy: broker.proxy, machine: machineOnce },
    ...{ time: outbox.time, clock, timers, random, log },
    start: (job) => startEnrol(job, timers),
    report: (event) => outbox.addEvent(event),
  });
}

/** As `tillwatch status` shows it; by the best time that is known. */
export function tillIdentity({
  config,
  identity,
  outbox,
}: {
  readonly config: Pick<AgentConfig, 'broker'>;
  readonly identity: Pick<AgentIdentity, 'state' | 'why' | 'expiresMs' | 'trustVersion'>;
  readonly outbox: Pick<Outbox, 'time'>;
}): TillIdentity {
  if (config.broker.plainText) return { state: 'plain_text', why: '' };
  const expiresMs = identity.expiresMs();
  const ends = expiresMs === undefined ? {} : { endsInMs: expiresMs - outbox.time.nowMs() };
  return { state: identity.state(), why: identity.why(), ...ends, trust: identity.trustVersion() };
}

const isAddress = (address: Address | undefined): address is Address => address !== undefined;

/** @returns how the broker is reached now, or why it is not. */
export function wayOf(
  { broker }: Pick<AgentConfig, 'broker'>,
  identity: Pick<AgentIdentity, 'enrolment' | 'why' | 'trustVersion'>,
): Result<Way> {
  const { plainText, host, port, addresses, proxy } = broker;
  if (plainText) return ok({ addresses: [{ host, port }] });
  const enrolment = identity.enrolment();
  if (enrolment === undefined) return fail(identity.why());
  const told = addresses.length > 0 ? addresses : enrolment.brokers;
  const [first, ...rest] = told.map(parseAddress).filter(isAddress);
  if (first === undefined) return fail('no address of a broker is known: write broker.addresses');
  const hello = { machine: machineOnce(), instance, trust: identity.trustVersion() };
  return ok({
    addresses: [first, ...rest],
    proxy: proxy === undefined ? undefined : parseProxy(proxy),
    credentials: enrolment.credentials,
    username: formatHello(hello),
  });
}
