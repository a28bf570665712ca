// The shape of the agent's configuration as a whole; one component's part is in component.ts. Only what one
// value alone can tell is checked here; how values fit together is in config.ts.

import * as v from 'valibot';
import { parsePublicKey } from '../protocol/commands.ts';
import { COMMAND_KEYS_MAX } from '../protocol/limits.ts';
import { COMPONENTS_MAX, componentSchema, hookEntries, rung } from './component.ts';
import { DEFAULTS } from './defaults.ts';
import { logsEntry } from './logs.ts';
import { redactionEntry } from './redaction.ts';
import { boundsEntry, brokerEntry } from './uplink.ts';
import { DAY, HOUR, id, list, MINUTE, ms, oneOf, strict, text, truth, whole } from './words.ts';

const MEBIBYTE = 1024 ** 2;
const GIBIBYTE = 1024 ** 3;

const bytes = (min: number, max: number) => whole(min, max, 'a whole number of bytes');

const commandKey = v.pipe(
  text('a key'),
  v.check(
    (key) => parsePublicKey(key).ok,
    'must read ed25519: and 44 characters of base64, as the broker prints it',
  ),
);

export const agentSchema = strict({
  terminal: id,
  dataDir: text('a folder'),
  runDir: text('a folder'),
  logDir: v.optional(text('a folder')),
  onExit: v.optional(oneOf('leave', 'stop'), DEFAULTS.onExit),
  /** Of every component that does not say otherwise. */
  mode: v.optional(oneOf('act', 'observe'), DEFAULTS.mode),
  broker: brokerEntry,
  /** Key, certificate and what it trusts; `identity` in dataDir if not said. */
  identityDir: v.optional(text('a folder')),
  /** What this till allows, whatever was signed. */
  bounds: boundsEntry,
  link: v.optional(
    strict({
      reconnectMsMin: v.optional(ms(10, HOUR), DEFAULTS.link.reconnectMsMin),
      reconnectMsMax: v.optional(ms(10, HOUR), DEFAULTS.link.reconnectMsMax),
    }),
    {},
  ),
  trust: v.optional(
    strict({ commandKeys: v.optional(list(commandKey, COMMAND_KEYS_MAX), []) }),
    {},
  ),
  sampling: v.optional(
    strict({
      everyMs: v.optional(ms(100, HOUR), DEFAULTS.sampling.everyMs),
      sendMs: v.optional(ms(100, DAY), DEFAULTS.sampling.sendMs),
      /** Of this terminal: ours first, then what components expose. */
      seriesMax: v.optional(
        whole(50, 1_000, 'a whole number of series'),
        DEFAULTS.sampling.seriesMax,
      ),
    }),
    {},
  ),
  output: v.optional(
    strict({
      bytesMax: v.optional(bytes(64 * 1024, GIBIBYTE), DEFAULTS.output.bytesMax),
      bytesPerSecondMax: v.optional(bytes(1024, GIBIBYTE), DEFAULTS.output.bytesPerSecondMax),
    }),
    {},
  ),
  /** Where output lies once it was taken: packed, without card data. */
  journal: v.optional(
    strict({
      bytesMax: v.optional(bytes(MEBIBYTE, 10 * GIBIBYTE), DEFAULTS.journal.bytesMax),
      days: v.optional(whole(1, 366, 'a whole number of days'), DEFAULTS.journal.days),
    }),
    {},
  ),
  /** The rungs that are the whole till's; a rung without a command where it needs one is left out. */
  ladder: v.optional(
    strict({
      dependants: v.optional(rung(DEFAULTS.ladder.dependants, {}), {}),
      all: v.optional(rung(DEFAULTS.ladder.all, {}), {}),
      reboot: v.optional(
        strict({
          ...hookEntries,
          uptimeMsMin: v.optional(ms(MINUTE, 7 * DAY), DEFAULTS.ladder.reboot.uptimeMsMin),
        }),
      ),
    }),
    {},
  ),
  /** The ring of what was seen before each action. */
  evidence: v.optional(
    strict({
      bundlesMax: v.optional(
        whole(1, 1_000, 'a whole number of bundles'),
        DEFAULTS.evidence.bundlesMax,
      ),
      bytesMax: v.optional(bytes(256 * 1024, 10 * GIBIBYTE), DEFAULTS.evidence.bytesMax),
    }),
    {},
  ),
  /** What else is taken out of everything that is kept or sent. */
  redaction: redactionEntry,
  logs: logsEntry,
  disk: v.optional(
    strict({
      lowBytes: v.optional(bytes(0, 1024 * GIBIBYTE), DEFAULTS.disk.lowBytes),
      floorBytes: v.optional(bytes(0, 1024 * GIBIBYTE), DEFAULTS.disk.floorBytes),
      reserveBytes: v.optional(bytes(0, GIBIBYTE), DEFAULTS.disk.reserveBytes),
    }),
    {},
  ),
  /** /dev/watchdog, where nothing else feeds it: the machine reboots when the agent stops sweeping. */
  watchdogDevice: v.optional(text('a device')),
  /** Whether `tillwatch drill` may break things here. */
  drills: v.optional(truth, DEFAULTS.drills),
  /** None: what is watched here comes with the document of the fleet (fleet.ts). */
  components: v.optional(
    v.pipe(
      list(componentSchema, COMPONENTS_MAX),
      v.minLength(1, 'must name at least one component to watch'),
    ),
  ),
});
