// Makes the recording of this version, in test/wire/<version>/: run it once when a version is about to be released, look
// at what it says, and commit it. What is there of older versions is never touched: it is what agents and brokers in
// stores still say.

import manifest from '../../package.json' with { type: 'json' };
import { MADE_MS, makeLines, TERMINAL } from './made.ts';
import { writeRecording } from './recording.ts';
import { recordPlain, recordSecure } from './sessions.ts';
import { toldBy } from './told.ts';

const { lines, commandKey } = makeLines();
const commandKeys = [commandKey];
const made = { name: 'made', terminal: TERMINAL, commandKeys, endedMs: MADE_MS + 60_000, lines };
const sessions = [
  { ...made, told: toldBy(lines, commandKeys) },
  await recordPlain(),
  await recordSecure(),
];
const folder = writeRecording(manifest.version, sessions);
for (const { name, lines: all, told } of sessions) {
  const counts = Object.entries(told).map(
    ([what, found]) => `${typeof found === 'number' ? found : Object.keys(found).length} ${what}`,
  );
  process.stdout.write(`${name}: ${all.length} messages: ${counts.join(', ')}\n`);
}
process.stdout.write(`${folder}\n`);
