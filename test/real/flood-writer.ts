// Prints numbered lines at a pace, as a component whose log has gone wild: `<MB a second> <seconds>`. Each line
// says its number at both ends, so that a line that lost a part shows. It tells on its own when it had to wait.

import { writeSync } from 'node:fs';

const [rate = 50, seconds = 2] = process.argv.slice(2).map(Number);
const MEBIBYTE = 1024 * 1024;
const TICK_MS = 10;
const LATE_MS_MAX = 100;
const FILLER = 'x'.repeat(160);

let number = 0;
let longestMs = 0;
const startMs = performance.now();
let lastMs = startMs;

function print(): void {
  const now = performance.now();
  // What it could not print in time on a starved machine it never prints: that would be another pace.
  const bytes = (Math.min(now - lastMs, LATE_MS_MAX) / 1_000) * rate * MEBIBYTE;
  lastMs = now;
  let text = '';
  while (text.length < bytes) {
    number += 1;
    text += `${new Date().toISOString()} begin ${number} ${FILLER} end ${number}\n`;
  }
  const before = performance.now();
  for (let rest = Buffer.from(text); rest.length > 0; ) rest = rest.subarray(writeSync(1, rest));
  longestMs = Math.max(longestMs, performance.now() - before);
  if (now - startMs < seconds * 1_000) setTimeout(print, TICK_MS);
  else {
    writeSync(1, `${new Date().toISOString()} last ${number} waited ${Math.ceil(longestMs)}\n`);
  }
}
print();
