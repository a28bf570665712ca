// Hardware: the one process that talks to the till's devices; today a receipt printer over TCP.

import { runComponent } from '../shared/component.ts';
import { common, portVariable, settingsOrExit, textVariable } from '../shared/env.ts';
import { startHardware } from './service.ts';

const settings = settingsOrExit({
  ...common,
  POS_HARDWARE_PORT: portVariable(9101),
  POS_PRINTER_HOST: textVariable('127.0.0.1'),
  /** 9100 is where receipt printers listen. */
  POS_PRINTER_PORT: portVariable(9100),
});
await runComponent('hardware', settings, settings.POS_HARDWARE_PORT, (context) =>
  startHardware(context, settings, Date.now),
);
