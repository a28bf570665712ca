// The witness: a thread beside the main one of a Node component that can tell, while the main thread is stuck,
// which line it is stuck at. It attaches to its own process from within (node:inspector, no port is opened),
// pauses the main thread for some milliseconds, reads the stack and lets it go on; what dies or disconnects while
// the main thread is paused lets it go on too. It has its own connection, on which it may not beat, because
// that its own loop turns proves nothing. A string and not a file, so that a bundle has nothing beside it to lose;
// plain JavaScript, as nothing strips types from it. It costs 18 MB, of which limits of its heap save none.

import { Worker } from 'node:worker_threads';
import { CHANNEL_LINE_BYTES_MAX } from '../../protocol/limits.ts';

/** At the agent's end the wait is longer, so that what the witness has to say still arrives. */
export const WITNESS_MS_MAX = 600;
/** Long stacks are cut: the innermost frames tell where it is stuck. */
export const FRAMES_MAX = 20;
export const FRAME_CHARS_MAX = 160;
const PATH_PARTS = 3;
const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5_000;

/**
 * Why it declines while an inspector is open: it cannot tell whether a human holds the main thread, and its own
 * `Debugger.disable` would let that go on. Node's thread for it is named InspectorIo (24.x).
 * A stack of 8 000 frames took 0.7 s and 60 MB: the heap's limit ends the witness, never the component.
 */
const SOURCE = `
'use strict';
const { workerData } = require('node:worker_threads');
const { connect } = require('node:net');
const { readdirSync, readFileSync } = require('node:fs');
const { Session } = require('node:inspector');
const { path, hello, limits } = workerData;
let socket, retryMs = limits.retryMsMin, asking = false;
process.on('warning', () => undefined);
process.on('uncaughtException', () => process.exit(1));

function say(message) {
  if (socket !== undefined && !socket.destroyed) socket.write(JSON.stringify(message) + '\\n');
}
function open() {
  let text = '';
  socket = connect({ path });
  socket.setEncoding('utf8');
  socket.on('connect', () => say(hello));
  socket.on('data', (chunk) => {
    text += chunk;
    const lines = text.split('\\n');
    text = lines.pop();
    if (text.length > limits.lineBytes) socket.destroy();
    for (const line of lines) hear(line);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    setTimeout(open, retryMs);
    retryMs = Math.min(2 * retryMs, limits.retryMsMax);
  });
}
function hear(line) {
  let message;
  try { message = JSON.parse(line); } catch { return; }
  if (message?.kind === 'welcome') retryMs = limits.retryMsMin;
  if (message?.kind === 'evidence') ask();
}
function isInspected() {
  try {
    return readdirSync('/proc/self/task').some((id) =>
      readFileSync('/proc/self/task/' + id + '/comm', 'latin1').startsWith('InspectorIo'));
  } catch { return false; }
}
const shorten = (url) => {
  if (url.startsWith('data:')) return 'data:';
  const parts = url.replace(/^file:\\/\\//, '').replace(/[?#].*$/, '').split('/');
  return parts.slice(-limits.pathParts).join('/');
};
function answer(stack, reason) {
  asking = false;
  const room = limits.lineBytes - 600;
  while (Buffer.byteLength(JSON.stringify(stack)) > room) stack.pop();
  say({ kind: 'evidence', stack, ...(reason === undefined ? {} : { reason }) });
}
function ask() {
  if (asking) return;
  asking = true;
  if (isInspected()) return answer([], 'an inspector is open, which may be a debugger');
  const urls = new Map();
  const session = new Session();
  let done = false;
  const end = (stack, reason) => {
    if (done) return;
    done = true;
    clearTimeout(timer);
    try { session.disconnect(); } catch {}
    answer(stack, reason);
  };
  const timer = setTimeout(() => end([], 'it runs no JavaScript'), limits.ms);
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
  session.on('Debugger.paused', ({ params }) => {
    // Once only: a second pause would be somebody else's.
    if (done) return;
    try { session.post('Debugger.resume'); } catch {}
    const frames = params.callFrames.slice(0, limits.frames).map((frame) => {
      const { scriptId, lineNumber } = frame.location;
      const place = shorten(urls.get(scriptId) || frame.url || 'unknown') + ':' + (lineNumber + 1);
      return (frame.functionName || '(anonymous)').slice(0, 80) + ' (' + place + ')';
    });
    end(frames.map((frame) => frame.slice(0, limits.chars)));
  });
  try {
    session.connectToMainThread();
    session.post('Debugger.enable');
    session.post('Debugger.pause');
  } catch (error) { end([], 'no session: ' + String(error).slice(0, 100)); }
}
open();
`;

const limits = {
  ms: WITNESS_MS_MAX,
  frames: FRAMES_MAX,
  chars: FRAME_CHARS_MAX,
  pathParts: PATH_PARTS,
  lineBytes: CHANNEL_LINE_BYTES_MAX,
  retryMsMin: RECONNECT_MS_MIN,
  retryMsMax: RECONNECT_MS_MAX,
};

/**
 * Never throws and never keeps the process alive; a witness that cannot start or dies is simply not there.
 * @param identity what the main thread says hello with.
 */
export function startWitness(identity: {
  readonly path: string;
  readonly component: string;
  readonly instance: string;
  readonly token: string;
}): () => void {
  const { path, ...names } = identity;
  const hello = { kind: 'hello', v: 1, role: 'witness', ...names, pid: process.pid };
  try {
    const worker = new Worker(SOURCE, {
      eval: true,
      name: 'tillwatch-witness',
      // Without what the program was started with: its preloads and NODE_OPTIONS are not for this thread.
      env: {},
      execArgv: [],
      workerData: { path, hello, limits },
      trackUnmanagedFds: false,
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 },
    });
    worker.on('error', () => undefined);
    worker.unref();
    return () => void worker.terminate();
  } catch {
    return () => undefined;
  }
}
