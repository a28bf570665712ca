// `tillwatch terminal suspend | resume | revoke | retire | move | replace | accept-machine`: what becomes of a terminal.
// The broker decides and writes it down; here is what is said before and after.

import { parseId } from '../../protocol/ids.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { refusedFor } from '../names.ts';
import { wrongReason } from './command.ts';
import { type Token, tokenLines } from './enroll.ts';

export type IdentityAct =
  | 'suspend'
  | 'resume'
  | 'revoke'
  | 'retire'
  | 'replace'
  | 'move'
  | 'accept-machine';

export type ActWish = {
  readonly act: IdentityAct;
  readonly terminal: string;
  readonly store?: string | undefined;
  readonly minutes?: string | undefined;
  readonly reason: string;
};

const DONE: Readonly<Record<Exclude<IdentityAct, 'replace'>, string>> = {
  suspend: 'is suspended: its data is not taken and it gets no commands, until it is resumed',
  resume: 'is resumed: what it kept comes in now',
  revoke: 'is revoked: it is cut off, and its certificate is good for nothing any more',
  retire: 'is retired: it is in no count any more, and what it said can still be read',
  move: 'is moved: what it says counts for that store from now on',
  'accept-machine': 'is accepted on the machine that it is on now',
};

export async function runIdentityAct(context: Context, wish: ActWish): Promise<Outcome> {
  const { act, terminal, store, reason } = wish;
  const id = parseId('terminal', terminal);
  if (!id.ok) return ended(EXIT.usage, id.reason);
  const place = store === undefined ? undefined : parseId('store', store);
  if (place?.ok === false) return ended(EXIT.usage, place.reason);
  const wrong = wrongReason(reason);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const minutes = wish.minutes === undefined ? undefined : Number(wish.minutes);
  if (minutes !== undefined && !(Number.isInteger(minutes) && minutes >= 1)) {
    return ended(EXIT.usage, '--minutes: a whole number, at least 1');
  }
  const path = `/api/v1/terminals/${terminal}/${act}`;
  const reply = await context.client.post<Token>(path, { reason, store, minutes });
  if (!reply.ok) return await refusedFor(context.client, reply, { terminal });
  if (context.json) printJson(context, reply.value);
  else if (act === 'replace') {
    for (const line of tokenLines(reply.value, context.nowMs())) context.print(line);
  } else context.print(`${terminal} ${DONE[act]}`);
  return done;
}
