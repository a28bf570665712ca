// All terminals of a fleet, page after page. Each page begins behind the one before by a cursor, so a
// terminal that is added meanwhile is missed at worst and none is told twice.

import type { Client, Reply, TerminalView } from './client.ts';

const PAGE = 1_000;
/** A fleet of so many pages is not; something else answers. */
const PAGES_MAX = 200;

type Page = { readonly terminals: readonly TerminalView[]; readonly next?: string | null };

export async function allTerminals(client: Client): Promise<Reply<readonly TerminalView[]>> {
  const terminals: TerminalView[] = [];
  let cursor = '';
  for (let page = 1; page <= PAGES_MAX; page += 1) {
    const path = `/api/v1/terminals?limit=${PAGE}${cursor}`;
    const reply = await client.get<Page>(path, ['terminals']);
    if (!reply.ok) return reply;
    terminals.push(...reply.value.terminals);
    const { next } = reply.value;
    if (typeof next !== 'string') break;
    cursor = `&cursor=${encodeURIComponent(next)}`;
  }
  return { ok: true, value: terminals };
}
