// A component with a witness, for tests: it hangs in the way that is named, for as long as is named, after it was
// told to by SIGUSR2, and prints what it lives through. Beats are the client's own.

import { execSync } from 'node:child_process';
import { connectChannel } from '../../agent/channel/client.ts';

const [, , how = 'never', forMs = '0'] = process.argv;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

function computeForever(): void {
  const untilMs = performance.now() + Number(forMs);
  while (performance.now() < untilMs) {
    // Stuck on purpose.
  }
}

function waitForNobody(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(forMs));
}

function runChild(): void {
  execSync(`sleep ${Number(forMs) / 1000}`);
}

const ways: Readonly<Record<string, () => void>> = {
  busy: computeForever,
  atomics: waitForNobody,
  child: runChild,
  never: () => undefined,
};

const channel = connectChannel({ onStop: () => process.exit(0) });
channel.ready();
let ticks = 0;
let longestMs = 0;
let lastMs = performance.now();
const timer = setInterval(() => {
  const nowMs = performance.now();
  longestMs = Math.max(longestMs, nowMs - lastMs);
  lastMs = nowMs;
  ticks += 1;
  if (ticks % 20 === 0) say(`ticks ${ticks} longest ${Math.round(longestMs)}`);
}, 20);
process.on('SIGUSR2', () => {
  say('hangs');
  ways[how]?.();
  say('goes on');
});
process.on('SIGHUP', () => {
  clearInterval(timer);
  say('ends');
});
say('runs');
