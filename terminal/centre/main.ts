// The head office stand-in as a program of its own: CENTRE_PORT (0: any free one, told in centre.json)
// and CENTRE_DATA_DIR.

import { runComponent } from '../shared/component.ts';
import { common, directoryVariable, portVariable, settingsOrExit } from '../shared/env.ts';
import { startCentre } from './service.ts';

const { POS_DATA_DIR: _unused, ...rest } = common;
const settings = settingsOrExit({
  ...rest,
  CENTRE_PORT: portVariable(9110),
  CENTRE_DATA_DIR: directoryVariable(),
});
await runComponent(
  'centre',
  { ...settings, POS_DATA_DIR: settings.CENTRE_DATA_DIR },
  settings.CENTRE_PORT,
  (context) => startCentre(context, Date.now),
);
