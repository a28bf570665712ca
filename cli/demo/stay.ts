// After the story the demo stays up for whoever wants to look, break things and watch: it says where to
// look, tells what heals, and gives a sign of life now and then.

import { setTimeout as sleep } from 'node:timers/promises';
import type { EventView } from '../client.ts';
import { plural } from '../screen.ts';
import { isSimulated } from './plan.ts';
import { faultsSoFar, salesSoFar } from './step-up.ts';
import { field, type World } from './world.ts';

const EVERY_MS = 60_000;
const POLL_MS = 250;

/** How a person calls us from here: through npx in a checkout, by name where it is installed. */
const executable = (): string =>
  process.env['npm_lifecycle_event'] ? 'npx tillwatch' : 'tillwatch';

function invite(world: World): void {
  const name = executable();
  world.tell.heading('Your turn: it stays up until Ctrl-C');
  world.tell.say('In another window, in this folder:');
  world.tell.lines([
    `  ${name} fleet`,
    `  ${name} terminal bm-lane-1`,
    `  ${name} restart ha-lane-1 sale --reason "to see it wait for the sale"`,
    '  kill -STOP <a PID of tillwatch terminal>     stopped: found and healed',
    '  kill -9 <the PID of an agent or of the broker>',
  ]);
}

/** What a watcher wants to know of what happened just now; most events are not worth a line. */
function words(event: EventView): string | undefined {
  const what = `${event.component} on ${event.terminal}`;
  const seconds = (name: string) => `${(Number(event.fields[name]) / 1000).toFixed(2)} s`;
  switch (event.kind) {
    case 'incident_opened':
      return `${what}: ${field(event, 'cause')}, ${field(event, 'reason')}`;
    case 'incident_recovered':
      return `${what}: ready again, ${seconds('readyMs')} after its last sign of life`;
    case 'incident_quarantined':
      return `${what}: fails again and again; tried slowly from now on`;
    case 'agent_started':
      return `the agent of ${event.terminal} runs`;
    default:
      return undefined;
  }
}

const clockText = (ms: number): string => new Date(ms).toTimeString().slice(0, 8);

export async function stayUp(world: World): Promise<void> {
  if (world.signal.aborted) return;
  invite(world);
  let after = world.watch.now();
  let nextMs = performance.now() + EVERY_MS;
  let faults = faultsSoFar(world).length;
  let simulated = 0;
  while (!world.signal.aborted) {
    await sleep(POLL_MS);
    for (const event of world.watch.all(after)) {
      after = event.id;
      if (isSimulated(event.terminal)) {
        // Fifty tills with faults of their own would drown the three that a person breaks.
        if (event.kind === 'incident_opened') simulated += 1;
        continue;
      }
      const text = words(event);
      if (text !== undefined) world.tell.say(`${clockText(event.timeMs)}  ${text}`);
    }
    for (const fault of faultsSoFar(world).slice(faults)) {
      faults += 1;
      world.tell.bad(fault);
    }
    if (performance.now() < nextMs) continue;
    nextMs += EVERY_MS;
    const sales = plural(salesSoFar(world), 'sale');
    const aside = simulated > 0 ? `; simulated tills: ${plural(simulated, 'incident')}` : '';
    world.tell.say(`${clockText(Date.now())}  ${sales} so far, ${plural(faults, 'fault')}${aside}`);
  }
}
