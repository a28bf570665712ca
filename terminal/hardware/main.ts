// Hardware: the one process that talks to a port of the till; a till with several devices runs it several
// times, each time with other POS_DEVICES.

import * as v from 'valibot';
import { runComponent } from '../shared/component.ts';
import { common, EXIT_USAGE, portVariable, settingsOrExit, textVariable } from '../shared/env.ts';
import { readDevices } from './config.ts';
import { startHardware } from './service.ts';

const settings = settingsOrExit({
  ...common,
  POS_HARDWARE_PORT: portVariable(9101),
  /** JSON, or the path of a YAML file; without it there is one printer, at the two below. */
  POS_DEVICES: v.optional(v.string(), ''),
  POS_PRINTER_HOST: textVariable('127.0.0.1'),
  /** 9100 is where receipt printers listen. */
  POS_PRINTER_PORT: portVariable(9100),
});
const devices = await readDevices(settings);
if (!devices.ok) {
  process.stderr.write(`${devices.reason.replaceAll('; ', '\n')}\n`);
  process.exit(EXIT_USAGE);
}
const clock = { wallMs: Date.now, monotonicMs: () => performance.now() };
await runComponent('hardware', settings, settings.POS_HARDWARE_PORT, (context) =>
  startHardware(context, devices.value, clock),
);
