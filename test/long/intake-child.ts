// Output, intake and journal of one component as an agent has them, for tests that kill it. Looks as often as it can,
// and says how far it is behind.

import { openRig } from './intake-rig.ts';

const [folder = '', file = '', version = ''] = process.argv.slice(2);
const { output, intake } = openRig(folder, version);

for (;;) {
  output.tidy('sale', file);
  await output.settled();
  // Now and then all at once, as a request for logs would have it.
  if (Math.random() < 0.3) await intake.catchUp(['sale'], 1_000);
  const behind = intake.behind().find(({ component }) => component === 'sale');
  process.stdout.write(`${behind?.bytes ?? 0}\n`);
  await new Promise((done) => setTimeout(done, 10));
}
