// The broker's front with TLS alone in a process: gate, handshake, certificate, rules, session, ledger. Every
// certificate of the authority is enrolled; the registry and its database are not here.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { systemClock, systemTimers } from '../../../broker/clock.ts';
import { startFront } from '../../../broker/front.ts';
import { openLedger } from '../../../broker/ledger.ts';
import { GATE_LIMITS, MQTT_LIMITS } from '../../../broker/mqtt/limits.ts';
import { createGate } from '../../../broker/tls/gate.ts';
import { fingerprintOf } from '../../../broker/trust/certificates.ts';
import { readClient } from '../../../broker/trust/read.ts';
import type { BenchFleet } from './fleet.ts';

const { values } = parseArgs({
  options: {
    ledger: { type: 'string', default: '' },
    fleet: { type: 'string', default: '' },
    port: { type: 'string', default: '0' },
  },
});
const fleet: BenchFleet = JSON.parse(readFileSync(values.fleet, 'utf8'));
const ledger = openLedger({ path: values.ledger, clock: systemClock });
const refused = new Map<string, number>();
const metrics = {
  connects: () => {},
  refused: (reason: string) => void refused.set(reason, (refused.get(reason) ?? 0) + 1),
  slowed: () => {},
  batches: () => {},
  commitSeconds: () => {},
};
const quiet = {
  info: () => {},
  warn: () => {},
  error: (what: string) => process.stderr.write(what),
};
const outside = { clock: systemClock, timers: systemTimers, metrics, log: quiet };
// All of the load comes from one address, as from a chain behind one router.
const gate = createGate({ ...outside, limits: { ...GATE_LIMITS, connects: MQTT_LIMITS.connects } });
const authorities = [
  {
    fingerprint: fingerprintOf(fleet.authority),
    certificate: new X509Certificate(fleet.authority),
  },
];
const identity = { cert: fleet.cert, key: fleet.key, authorities: [fleet.authority] };
const yes = { ok: true } as const;
const started = await startFront({
  ...outside,
  ...{ host: '127.0.0.1', port: Number(values.port), limits: MQTT_LIMITS, ledger },
  fleet: { isKnown: () => true, sessionOpened: () => {}, sessionClosed: () => {} },
  identities: {
    admit: () => yes,
    mayConnect: () => yes,
    isSuspended: () => false,
    greeted: () => {},
    onCut: () => () => {},
  },
  security: {
    trust: { server: () => identity, onServer: () => () => {} },
    judges: {
      readClient: (der) => readClient(der, authorities),
      admit: () => yes,
      nowMs: () => Date.now(),
    },
    gate,
    handshakeMsMax: GATE_LIMITS.handshakeMsMax,
  },
  onCommandReady: () => {},
});
if (!started.ok) throw new Error(started.reason);
process.stdout.write(`${JSON.stringify({ port: started.value.port })}\n`);
process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify({ refused: Object.fromEntries(refused) })}\n`);
  void started.value.stop().then(() => {
    ledger.close();
    process.exit(0);
  });
});
