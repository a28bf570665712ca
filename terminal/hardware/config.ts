// Which devices this process has: POS_DEVICES, as JSON or as the path of a YAML or JSON file; without it one
// receipt printer at POS_PRINTER_HOST and POS_PRINTER_PORT. One process has one port, because a port that
// hangs may take its process with it and must take nothing else (research/pos.md 0.4): a till with a printer
// and a scanner runs this component twice. Only a drawer comes along, on its printer's plug.

import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { check } from '../shared/check.ts';
import { fail, ok, type Result, saying } from '../shared/result.ts';

const DEVICES_MAX = 2;
const FILE_BYTES_MAX = 64 * 1024;

const name = v.pipe(
  v.string('give a text'),
  v.regex(/^[a-z][a-z0-9-]{0,31}$/, 'use 1 to 32 of a-z, 0-9 and "-", beginning with a letter'),
);
const whole = (min: number, max: number) =>
  v.pipe(
    v.number('give a number'),
    v.integer('give a whole number'),
    v.minValue(min, `use at least ${min}`),
    v.maxValue(max, `use at most ${max}`),
  );
const tcp = v.strictObject({
  kind: v.literal('tcp'),
  host: v.pipe(v.string('give a text'), v.minLength(1, 'give a host or an address')),
  port: whole(1, 65_535),
});
const baud = whole(110, 4_000_000);
const serial = v.strictObject({
  kind: v.literal('serial'),
  path: v.pipe(v.string('give a text'), v.startsWith('/', 'give the whole path of the device')),
  /** One or several, tried in turn. */
  baud: v.optional(v.union([baud, v.pipe(v.array(baud), v.minLength(1, 'give a speed'))]), 9_600),
  dataBits: v.optional(v.picklist([7, 8], 'use 7 or 8'), 8),
  parity: v.optional(v.picklist(['none', 'even', 'odd'], 'use none, even or odd'), 'none'),
  stopBits: v.optional(v.picklist([1, 2], 'use 1 or 2'), 1),
  flow: v.optional(v.picklist(['none', 'rtscts', 'xon'], 'use none, rtscts or xon'), 'none'),
});
const transport = v.variant('kind', [tcp, serial], 'use the kind tcp or serial');
const ms = whole(10, 120_000);
const text = v.pipe(v.string('give a text'), v.maxLength(8, 'use at most 8 characters'));

const device = v.variant(
  'class',
  [
    v.strictObject({
      name,
      class: v.literal('POSPrinter'),
      driver: v.optional(v.literal('escpos', 'use escpos'), 'escpos'),
      transport,
      statusMs: v.optional(ms, 1_000),
      fenceMs: v.optional(ms, 10_000),
      fence: v.optional(v.picklist(['plain', 'named'], 'use plain or named'), 'plain'),
    }),
    v.strictObject({
      name,
      class: v.literal('CashDrawer'),
      driver: v.optional(v.literal('escpos', 'use escpos'), 'escpos'),
      /** The printer that it hangs on. */
      transport: v.strictObject({ kind: v.literal('device', 'use device'), name }),
      pin: v.optional(v.picklist([2, 5], 'use 2 or 5'), 2),
      pulseMs: v.optional(whole(50, 500), 200),
      openWhen: v.optional(v.picklist(['high', 'low', 'none'], 'use high, low or none'), 'high'),
      kick: v.optional(v.picklist(['realtime', 'queued'], 'use realtime or queued'), 'realtime'),
    }),
    v.strictObject({
      name,
      class: v.literal('Scanner'),
      driver: v.optional(v.literal('suffix', 'use suffix'), 'suffix'),
      transport,
      suffix: v.optional(v.pipe(text, v.minLength(1, 'give the bytes that end a scan')), '\r'),
      prefix: v.optional(text, ''),
      gapMs: v.optional(whole(10, 5_000), 100),
    }),
    v.strictObject({
      name,
      class: v.literal('Scale'),
      driver: v.picklist(['mettler-8217', 'nci'], 'use mettler-8217 or nci'),
      transport,
      unit: v.optional(v.picklist(['kg', 'lb'], 'use kg or lb'), 'kg'),
    }),
    v.strictObject({
      name,
      class: v.literal('LineDisplay'),
      driver: v.optional(v.literal('cd5220', 'use cd5220'), 'cd5220'),
      transport,
    }),
  ],
  'use POSPrinter, CashDrawer, Scanner, Scale or LineDisplay',
);
const devices = v.pipe(
  v.array(device, 'give a list of devices'),
  v.minLength(1, 'give a device'),
  v.maxLength(DEVICES_MAX, 'one process has one port: start this component once more'),
);
export type DeviceConfig = v.InferOutput<typeof device>;
export type ConfigOf<C extends DeviceConfig['class']> = Extract<DeviceConfig, { class: C }>;

export type HardwareSettings = {
  readonly POS_DEVICES: string;
  readonly POS_PRINTER_HOST: string;
  readonly POS_PRINTER_PORT: number;
};

/** What the schema cannot see: how the devices go together. */
function together(list: readonly DeviceConfig[]): string[] {
  const problems: string[] = [];
  const [first, second] = list;
  if (first?.class === 'CashDrawer') {
    problems.push('0.transport: name the printer first, the drawer hangs on it');
  }
  if (second === undefined || first === undefined) return problems;
  if (second.name === first.name) problems.push('1.name: this name is taken');
  if (second.class !== 'CashDrawer') {
    problems.push('1.transport: one process has one port: start this component once more for it');
  } else if (first.class !== 'POSPrinter' || second.transport.name !== first.name) {
    problems.push('1.transport.name: there is no such printer here');
  }
  return problems;
}

async function parse(given: string): Promise<Result<unknown>> {
  try {
    if (/^\s*[[{]/.test(given)) return ok(JSON.parse(given));
    const content = readFileSync(given, 'utf8');
    if (content.length > FILE_BYTES_MAX) return fail('this file is too large');
    const { parse: parseYaml } = await import('yaml');
    return ok(parseYaml(content));
  } catch (error) {
    return fail(`give JSON, or the path of a YAML file: ${saying(error).split('\n')[0]}`);
  }
}

/** @returns the devices, or every problem as `POS_DEVICES.path: sentence`, joined by '; '. */
export async function readDevices(settings: HardwareSettings): Promise<Result<DeviceConfig[]>> {
  const { POS_DEVICES, POS_PRINTER_HOST: host, POS_PRINTER_PORT: port } = settings;
  if (POS_DEVICES === '') {
    const printer = {
      name: 'printer',
      class: 'POSPrinter',
      transport: { kind: 'tcp', host, port },
    };
    return check(devices, [printer]);
  }
  const parsed = await parse(POS_DEVICES);
  if (!parsed.ok) return fail(`POS_DEVICES: ${parsed.reason}`);
  const given = parsed.value;
  const list =
    given !== null && typeof given === 'object' && 'devices' in given ? given.devices : given;
  const checked = check(devices, list);
  const problems = checked.ok ? together(checked.value) : checked.reason.split('; ');
  if (checked.ok && problems.length === 0) return checked;
  return fail(problems.map((one) => `POS_DEVICES.${one}`.replace('.body:', ':')).join('; '));
}
