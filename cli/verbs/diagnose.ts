// `tillwatch diagnose TERMINAL --reason TEXT --out FILE`: asks a terminal for one redacted document about itself and
// brings it here. A terminal that is away answers when it is back, until the request expires; Ctrl-C leaves it there.

import { closeSync, openSync, writeSync } from 'node:fs';
import { parseId } from '../../protocol/ids.ts';
import type { LogRequestView } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { refusedFor } from '../names.ts';
import { askOnce, wrongReason } from './command.ts';

const POLL_MS = 150;

export type DiagnoseWish = {
  readonly terminal: string;
  readonly reason: string;
  readonly out: string | undefined;
  readonly wait: boolean;
};

function write(path: string, document: Uint8Array): string | undefined {
  try {
    // What a till says of itself is nobody else's business on this machine.
    const file = openSync(path, 'w', 0o600);
    writeSync(file, document);
    closeSync(file);
    return undefined;
  } catch (error) {
    return `--out: cannot write ${path}: ${(error as Error).message}`;
  }
}

async function follow(context: Context, id: string): Promise<LogRequestView | Outcome> {
  for (let told = ''; ; ) {
    const reply = await context.client.get<LogRequestView>(`/api/v1/logs/${id}`, ['state']);
    if (!reply.ok) return ended(reply.exit, reply.sentence);
    const { state, terminal, connected } = reply.value;
    if (state !== 'waiting' && state !== 'running') return reply.value;
    const where = state === 'waiting' && !connected ? `, ${terminal} is not connected` : '';
    if (!context.json && told !== state + where) context.print(`${state}${where}`);
    told = state + where;
    await context.sleep(POLL_MS);
  }
}

export async function runDiagnose(context: Context, wish: DiagnoseWish): Promise<Outcome> {
  const { terminal, reason, out } = wish;
  const { client, print, json } = context;
  const named = parseId('terminal', terminal);
  const wrong = named.ok ? wrongReason(reason) : named.reason;
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const created = await askOnce<{ id: string }>(client, `/api/v1/terminals/${terminal}/diagnose`, {
    reason,
  });
  if (!created.ok) return await refusedFor(client, created, { terminal });
  const { id } = created.value;
  const quiet = { ...context, json: json || out === undefined };
  if (!wish.wait) {
    if (json) printJson(context, created.value);
    else print(`request ${id}`);
    return done;
  }
  if (!quiet.json) print(`diagnosis of ${terminal}, request ${id}`);
  const view = await follow(quiet, id);
  if ('exit' in view) return view;
  if (view.state !== 'complete') {
    return ended(EXIT.failed, `the diagnosis ${view.state}${view.error && `: ${view.error}`}`);
  }
  const document = await client.bytes(`/api/v1/logs/${id}/content`);
  if (!document.ok) return ended(document.exit, document.sentence);
  if (out === undefined) {
    print(Buffer.from(document.value).toString().trimEnd());
    return done;
  }
  const failed = write(out, document.value);
  if (failed !== undefined) return ended(EXIT.usage, failed);
  const bytes = document.value.length;
  if (json) printJson(context, { ...view, out, documentBytes: bytes });
  else print(`${(bytes / 1_000).toFixed(1)} kB in ${out}`);
  return done;
}
