// Who this till is to its broker, and the way there: identity, network, each hop by itself, and whether the broker lets
// it in. Nothing is sent but a handshake: a session in the till's name would end the agent's own, and would make a till
// look alive that is not.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { readNetwork } from '../../agent/absence/network.ts';
import { dial } from '../../agent/link/dial.ts';
import { parseProxy } from '../../agent/link/proxy.ts';
import { NO_TIME } from '../../agent/link/session.ts';
import type { Address, Way } from '../../agent/link/types.ts';
import { realFiles } from '../../agent/system/files.ts';
import { type Hop, tryHops } from '../../agent/system/hops.ts';
import type { AgentConfig } from '../../configuration/config.ts';
import { parseAddress } from '../../configuration/uplink.ts';
import { plural, tame } from '../screen.ts';
import { bad, type Check, type Finding, good, skipped, warn } from './check.ts';
import { inWords, statOf } from './look.ts';
import type { TillFacts } from './till-facts.ts';
import { configured } from './till-machine.ts';

const DAY_MS = 86_400_000;
/** Renewal begins a third before the end; with this left it has failed for a while. */
const DAYS_FEW = 20;
const HANDSHAKE_MS_MAX = 5_000;
/** A broker judges a certificate between the handshake and the first packet, at once. */
const JUDGED_MS = 700;
const ENROL =
  'get a token at the centre (tillwatch enroll --store STORE --terminal TERMINAL) and type it here: tillwatch join';

function identity(
  { broker, identityDir, terminal }: AgentConfig,
  facts: TillFacts,
): readonly Finding[] {
  const { identity: found, identityHidden, nowMs } = facts;
  if (broker.plainText)
    return [
      warn(
        'the link is in plain text: there is none',
        'enrol this till before it leaves this machine',
      ),
    ];
  if (identityHidden !== undefined)
    return [skipped(`${identityDir} may not be seen by this user`, 'run it again as root')];
  if (!found.ok)
    return [bad(found.reason, `chmod 600 its files if nobody read them, or enrol anew: ${ENROL}`)];
  if (found.value === undefined) {
    if (statOf(`${identityDir}/token`).ok)
      return [
        warn(
          `${terminal} waits with a token to be enrolled`,
          'wait; the hops below say whether the broker is reached',
        ),
      ];
    return [bad(`${terminal} is not enrolled`, ENROL)];
  }
  const { notAfterMs, record } = found.value;
  const days = Math.floor((notAfterMs - nowMs) / DAY_MS);
  const who = `${record.terminal}, ${record.how}`;
  if (days < 0)
    return [
      bad(
        `${who}: its certificate ended ${plural(-days, 'day')} ago`,
        'let it reach the broker: it renews itself for 60 days after the end; later enrol it anew',
      ),
    ];
  if (days < DAYS_FEW)
    return [
      warn(
        `${who}: its certificate ends in ${plural(days, 'day')} and should have been renewed`,
        'let it reach the HTTPS port of the broker: the hops below say what is in the way',
      ),
    ];
  return [good(`${who}, its certificate holds for another ${plural(days, 'day')}`)];
}

const isAddress = (address: Address | undefined): address is Address => address !== undefined;

/** @returns undefined where nobody knows the broker. */
export function wayFrom({ broker }: AgentConfig, { identity: found }: TillFacts): Way | undefined {
  const { plainText, host, port, addresses, proxy } = broker;
  if (plainText) return { addresses: [{ host, port }] };
  const loaded = found.ok ? found.value : undefined;
  const told = addresses.length > 0 ? addresses : (loaded?.record.brokers ?? []);
  const [first, ...rest] = told.map(parseAddress).filter(isAddress);
  if (first === undefined) return undefined;
  const credentials = loaded && {
    ...{ key: loaded.key, certificate: loaded.certificate },
    authorities: loaded.record.trust.authorities,
  };
  return {
    addresses: [first, ...rest],
    proxy: proxy === undefined ? undefined : parseProxy(proxy),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

const timers = {
  after: (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every: () => () => undefined,
};
const clock = { monotonicMs: () => performance.now() };

const ADVICE: Readonly<Record<string, string>> = {
  gateway: 'look at cable, switch and router of the store; a gateway may also just not answer',
  name: 'look at /etc/resolv.conf and whether its server answers: getent hosts NAME',
  proxy: 'look whether the proxy runs and lets this till connect; broker.proxy says which it is',
  broker:
    'look whether the firewall lets this port out, and whether the broker runs: tillwatch doctor there',
  'through the proxy': 'ask whoever runs the proxy to allow CONNECT to this address',
  handshake:
    'look whose certificate is shown there: a firewall that reads along, or a broker of another fleet',
};

function hopFinding({ hop, to, ok, tookMs, reason }: Hop, unreached: ReadonlySet<string>): Finding {
  if (ok) return good(`${hop} ${to}: ${tame(reason)}, ${tookMs} ms`);
  // What cannot be reached shows no certificate: one finding is enough.
  if (hop === 'handshake' && unreached.has(to)) return skipped(`${hop} ${to}: it is not reached`);
  const found = `${hop} ${to}: ${inWords(tame(reason))}`;
  const todo = (ADVICE[hop] ?? 'try it by hand').replace('NAME', to);
  return hop === 'gateway' ? warn(found, todo) : bad(found, todo);
}

async function hops(config: AgentConfig, facts: TillFacts): Promise<readonly Finding[]> {
  const { look, gateway } = readNetwork(realFiles);
  const found: Finding[] = [];
  if (look.carrier === false)
    found.push(bad('no network cable has a link', 'plug it in, or look at the switch'));
  else if (look.route === false)
    found.push(
      warn(
        'there is no default route',
        'look at the address of this machine: ip address, ip route',
      ),
    );
  const way = wayFrom(config, facts);
  if (way === undefined) {
    const why =
      'where the broker is follows from enrolment, and that is not there or not to be seen';
    return [...found, skipped(why, 'see identity')];
  }
  const tried = await tryHops(way, gateway, { clock, timers, time: NO_TIME });
  const unreached = new Set(
    tried.flatMap(({ hop, to, ok }) => (hop === 'broker' && !ok ? [to] : [])),
  );
  return [...found, ...tried.map((one) => hopFinding(one, unreached))];
}

/** @returns why it was closed; undefined while it stays open. */
async function isClosed(socket: Socket): Promise<string | undefined> {
  let why = 'the broker closed the connection';
  socket.on('error', (error) => (why = error.message));
  socket.resume();
  const closed = once(socket, 'close').then(() => why);
  const open = new Promise<undefined>((done) => setTimeout(() => done(undefined), JUDGED_MS));
  return await Promise.race([closed, open]);
}

const REFUSED =
  'ask the centre how it stands: tillwatch terminal TERMINAL (suspended, revoked, another machine?)';

async function admitted(config: AgentConfig, facts: TillFacts): Promise<readonly Finding[]> {
  const link = facts.agent.kind === 'answers' ? facts.agent.value.link : undefined;
  if (link?.connected === true) return [good('the agent is connected to its broker')];
  if (link !== undefined && link.reason !== '') {
    const isAboutUs = /refused|not authorized|Connection refused/i.test(link.reason);
    return [
      bad(
        `the agent is not connected: ${tame(link.reason)}`,
        isAboutUs ? REFUSED : 'see the way above',
      ),
    ];
  }
  const way = wayFrom(config, facts);
  if (way?.credentials === undefined)
    return [skipped('no certificate to be let in with, or none that may be seen')];
  const [address] = way.addresses;
  const sockets: Socket[] = [];
  const keep = (socket: Socket): void => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  };
  try {
    const opened = await dial({
      address,
      way,
      time: NO_TIME,
      timers,
      keep,
      timeoutMs: HANDSHAKE_MS_MAX,
    });
    if (!opened.ok) return [skipped('it is not reached: see the way above')];
    const why = await isClosed(opened.value);
    if (why !== undefined)
      return [bad(`the broker does not let ${config.terminal} in: ${why}`, REFUSED)];
    return [good(`the broker takes the certificate of ${config.terminal}`)];
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

export const wayChecks: readonly Check<TillFacts>[] = [
  { name: 'identity', what: 'certificate, its days, name and modes', run: configured(identity) },
  { name: 'way', what: 'each hop to the broker, by itself', run: configured(hops) },
  { name: 'admitted', what: 'whether the broker lets this till in', run: configured(admitted) },
];
