// Prints numbered lines at a pace, as a component whose log has gone wild: `<MB a second> <seconds>`. Each line
// says its number at both ends, so that a line that lost a part shows. It tells on its own when it had to wait.

import { writeSync } from 'node:fs';

const [rate = 50, seconds = 2] = process.argv.slice(2).map(Number);
const MEBIBYTE = 1024 * 1024;
const TICK_MS = 10;
const FILLER = 'x'.repeat(160);

let number = 0;
let longestMs = 0;
const startMs = performance.now();
let printed = 0;

function print(): void {
  const elapsedMs = performance.now() - startMs;
  const due = (elapsedMs / 1_000) * rate * MEBIBYTE;
  let text = '';
  while (printed + text.length < due) {
    number += 1;
    text += `${new Date().toISOString()} begin ${number} ${FILLER} end ${number}\n`;
  }
  const before = performance.now();
  for (let rest = Buffer.from(text); rest.length > 0; ) rest = rest.subarray(writeSync(1, rest));
  longestMs = Math.max(longestMs, performance.now() - before);
  printed += text.length;
  if (elapsedMs < seconds * 1_000) setTimeout(print, TICK_MS);
  else {
    writeSync(1, `${new Date().toISOString()} last ${number} waited ${Math.ceil(longestMs)}\n`);
  }
}
print();
