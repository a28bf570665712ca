// What the broker shows of itself: its keys, its certificates, and whether it is found under the names that terminals
// know, as a terminal would find it.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { BrokerConfig } from '../../broker/config.ts';
import { isEncrypted } from '../../broker/trust/key-files.ts';
import { findPassphrase } from '../../broker/trust/passphrase.ts';
import { paths } from '../../broker/trust/state.ts';
import { plural, tame } from '../screen.ts';
import type { BrokerFacts } from './broker-facts.ts';
import { configured, ROOT } from './broker-machine.ts';
import { bad, type Check, type Finding, good, skipped, warn } from './check.ts';
import { codeOf, inWords, isHidden, modeText, see, statOf, textOf } from './look.ts';

const DAY_MS = 86_400_000;
const ASK_MS_MAX = 5_000;

function keys(
  { plainText, keysDir }: BrokerConfig,
  { trust, env }: BrokerFacts,
): readonly Finding[] {
  if (plainText) return [good('in plain text: there are none of a fleet')];
  const stat = statOf(keysDir);
  if (!stat.ok)
    return [
      isHidden(stat.code)
        ? skipped(`${keysDir} may not be seen`, ROOT)
        : bad(
            `${keysDir} is not there`,
            'restore it from its copy: without it terminals believe nobody',
          ),
    ];
  const names = see(() => readdirSync(keysDir).filter((name) => /\.(key|pem)$/.test(name)));
  if (!names.ok) return [skipped(`${keysDir} may not be read (${names.code})`, ROOT)];
  const found: Finding[] = [];
  for (const name of names.value.filter((one) => one.endsWith('.key') || one === 'server.pem')) {
    const one = statOf(join(keysDir, name));
    if (one.ok && (one.value.mode & 0o077) !== 0) {
      const open = `${name} may be read by others (mode ${modeText(one.value.mode)})`;
      found.push(
        bad(
          open,
          `chmod 600 ${join(keysDir, name)} if nobody read it; else tillwatch broker rotate`,
        ),
      );
    }
  }
  if (!trust.ok)
    return [
      ...found,
      bad(trust.reason, 'correct what it says; else restore the keys from their copy'),
    ];
  const closed = names.value.some((name) => {
    const text = textOf(join(keysDir, name));
    return name.endsWith('.key') && text.ok && isEncrypted(text.value);
  });
  const passphrase = findPassphrase(env);
  if (!passphrase.ok)
    found.push(
      bad(passphrase.reason, 'name a file of mode 600 with one line in TILLWATCH_PASSPHRASE_FILE'),
    );
  else if (closed && passphrase.value === undefined)
    found.push(
      warn(
        'they have a passphrase, and none is named in this environment',
        'the unit needs LoadCredential=passphrase:FILE or TILLWATCH_PASSPHRASE_FILE, or the broker cannot start by itself',
      ),
    );
  if (found.length > 0) return found;
  const many = `${trust.value.authorities.length} authority, ${trust.value.commandKeys.length} for commands`;
  return [good(`${many}; ${closed ? 'with a passphrase' : 'without a passphrase'}`)];
}

/** The broker renews its own with a third of its life left: with this left it has not. */
const DAYS_FEW = 20;
const AUTHORITY_DAYS_FEW = 180;

function lasts(what: string, pem: string, nowMs: number, few: number, todo: string): Finding {
  const seen = see(() => new X509Certificate(pem));
  if (!seen.ok) return bad(`${what}: it cannot be read`, todo);
  const days = Math.floor((seen.value.validToDate.getTime() - nowMs) / DAY_MS);
  if (days < 0) return bad(`${what}: it ended ${plural(-days, 'day')} ago`, todo);
  const left = `${what}: good for another ${plural(days, 'day')}`;
  return days < few ? warn(left, todo) : good(left);
}

function certificates(
  config: BrokerConfig,
  { authorities, nowMs }: BrokerFacts,
): readonly Finding[] {
  const { plainText, keysDir, http, names } = config;
  if (plainText) return [good('in plain text: there are none')];
  const found = authorities.map((pem, at) =>
    lasts(
      `authority ${at + 1}`,
      pem,
      nowMs,
      AUTHORITY_DAYS_FEW,
      'tillwatch broker rotate authority, months before its end',
    ),
  );
  const restart = 'restart the broker: it makes a new one by itself';
  const server = textOf(paths.server(keysDir));
  if (server.ok) {
    const pem =
      /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(server.value)?.[0] ?? '';
    found.push(lasts('its own', pem, nowMs, DAYS_FEW, restart));
    const seen = see(() => new X509Certificate(pem));
    const missing = names.filter((name) => {
      if (!seen.ok) return false;
      return (
        (isIP(name) === 0 ? seen.value.checkHost(name) : seen.value.checkIP(name)) === undefined
      );
    });
    if (missing.length > 0) found.push(bad(`its own is not for ${missing.join(', ')}`, restart));
  } else
    found.push(
      isHidden(server.code)
        ? skipped('its own may not be read', ROOT)
        : warn('its own is not there', restart),
    );
  if (http.certificate !== undefined) {
    const text = textOf(http.certificate);
    const todo = `put a newer one in ${http.certificate} and its key beside it, then restart the broker`;
    found.push(
      text.ok
        ? lasts('for people', text.value, nowMs, DAYS_FEW, todo)
        : bad(`for people: ${http.certificate} cannot be read (${text.code})`, todo),
    );
  }
  return found;
}

/** @returns why no terminal would get in under this name; empty when it would. */
async function tryName(
  host: string,
  port: number,
  authorities: readonly string[],
): Promise<string> {
  const socket = connect({
    ...{ host, port, ca: [...authorities], allowPartialTrustChain: true, minVersion: 'TLSv1.3' },
    ...{ ALPNProtocols: ['mqtt'], servername: isIP(host) === 0 ? host : '' },
  });
  const timer = setTimeout(
    () => socket.destroy(new Error(`no answer within ${ASK_MS_MAX} ms`)),
    ASK_MS_MAX,
  );
  try {
    await once(socket, 'secureConnect');
    return '';
  } catch (error) {
    return codeOf(error);
  } finally {
    clearTimeout(timer);
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

async function names(
  config: BrokerConfig,
  { authorities, told, process: own }: BrokerFacts,
): Promise<readonly Finding[]> {
  if (config.plainText) return [good('in plain text: it is for this machine alone')];
  if (own === undefined) return [skipped('no broker runs')];
  if (authorities.length === 0)
    return [skipped('without its authority nobody can judge who answers', ROOT)];
  const port = told?.mqttPort ?? config.mqtt.port;
  const found: Finding[] = [];
  for (const name of config.names) {
    const why = await tryName(name, port, authorities);
    const todo =
      'look at the name in DNS, the firewall of this machine and what stands before it (NAT, a balancer)';
    found.push(
      why === ''
        ? good(`${name}:${port} leads here, as terminals see it`)
        : bad(`${name}:${port}: ${inWords(tame(why))}`, todo),
    );
  }
  return found;
}

export const brokerTrustChecks: readonly Check<BrokerFacts>[] = [
  { name: 'keys', what: 'keys, their modes and passphrase', run: configured(keys) },
  {
    name: 'certificates',
    what: 'certificates, their names and days',
    run: configured(certificates),
  },
  { name: 'names', what: 'whether its own names lead here', run: configured(names) },
];
