// Renews an identity again and again, for a test that kills it anywhere: argv is the folder and a file of pairs.

import { readFileSync } from 'node:fs';
import { offer, takeOver } from '../../agent/system/identity-folder.ts';

const [folder = '', pairsFile = ''] = process.argv.slice(2);
const { record, pairs } = JSON.parse(readFileSync(pairsFile, 'utf8'));
process.stdout.write('begun\n');
for (let at = 0; ; at += 1) {
  const offered = offer(folder, record, pairs[at % pairs.length]);
  if (offered.ok) takeOver(folder);
}
