// A foreign component for tests of logs: prints so many lines at once, in times that it makes up, every
// hundredth with a test card number, as no program should and many do; then it stays and prints one
// line a second. Its lines look like winston's, but no redactor of ours has seen them.

import { writeSync } from 'node:fs';

const [count = 1_000, fromMs = 0, stepMs = 1_000] = process.argv.slice(2).map(Number);
const CARD = '4111111111111111';
const BLOCK_LINES = 2_000;

function lineOf(n: number): string {
  const timestamp = new Date(fromMs + n * stepMs).toISOString();
  const message = n % 100 === 0 ? `declined ${CARD} again` : `basket ${n} has ${n % 17} items`;
  return `{"component":"till","level":"info","line":${n},"message":"${message}","timestamp":"${timestamp}"}\n`;
}

for (let n = 0; n < count; n += BLOCK_LINES) {
  const lines = Array.from({ length: Math.min(BLOCK_LINES, count - n) }, (_, at) => lineOf(n + at));
  const block = Buffer.from(lines.join(''));
  for (let at = 0; at < block.length; ) at += writeSync(1, block, at);
}
let after = count;
setInterval(() => {
  after += 1;
  writeSync(1, lineOf(after));
}, 1_000);
