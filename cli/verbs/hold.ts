// `tillwatch hold --for 30m`: a technician works on the till and wants nothing killed or rebooted under their hands.
// The watchdog goes on to see, explain and count. It ends by itself, so that nobody has to remember; `--release`
// ends it sooner.

import { userInfo } from 'node:os';
import * as v from 'valibot';
import { holdSchema } from '../../protocol/till.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { age } from '../screen.ts';
import type { TillContext } from '../till-verbs.ts';
import { localClock, parseDuration } from '../when.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export type HoldWish = {
  readonly time?: string | undefined;
  readonly reason?: string | undefined;
  readonly release: boolean;
};

/** Who asks: behind sudo, the person and not root. */
function whoAsks(): string {
  const behind = process.env['SUDO_USER'];
  if (behind) return behind;
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`; // a container may have no name for it
  }
}

async function release({ ask, print, json }: TillContext): Promise<Outcome> {
  const reply = await ask({ kind: 'release', by: whoAsks() });
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const { released, still } = reply.value as { released?: unknown; still?: unknown };
  // What the centre has declared, it ends: a till in maintenance is watched only.
  const goesOn = typeof still === 'string' ? still : undefined;
  if (json) {
    const more = goesOn === undefined ? {} : { still: goesOn };
    print(JSON.stringify({ released: released === true, ...more }, undefined, 2));
  } else if (goesOn === undefined) {
    print(released === true ? 'released: the watchdog acts again' : 'it was not held');
  } else print(`${released === true ? 'released' : 'it was not held so'}; ${goesOn}`);
  return done;
}

export async function runHold(context: TillContext, wish: HoldWish): Promise<Outcome> {
  const { print, ask, json, style } = context;
  const { time, reason } = wish;
  if (wish.release && time !== undefined) {
    return ended(EXIT.usage, 'say --for or --release, not both');
  }
  if (wish.release) return await release(context);
  if (time === undefined) return ended(EXIT.usage, 'say how long with --for, as in --for 30m');
  const forMs = parseDuration('--for', time, MINUTE_MS, DAY_MS);
  if (!forMs.ok) return ended(EXIT.usage, forMs.reason);
  const request = { kind: 'hold', forMs: forMs.value, by: whoAsks() };
  const reply = await ask(reason === undefined ? request : { ...request, reason });
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const held = v.safeParse(holdSchema, reply.value);
  if (!held.success) return ended(EXIT.unavailable, 'the answer is not of an agent');
  if (json) {
    print(JSON.stringify(held.output, undefined, 2));
    return done;
  }
  const { leftMs, untilMs } = held.output;
  print(`${style.bold('held')} for ${age(leftMs)}, until ${localClock(untilMs).slice(0, 8)}`);
  print('the watchdog watches and does not act; sooner: tillwatch hold --release');
  return done;
}
