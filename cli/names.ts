// When the broker does not know a terminal or a component, what it does know is asked for and the nearest
// name is told. Only after a refusal: a name that is right costs nothing more.

import type { Client, Refusal, TerminalView } from './client.ts';
import { ended, type Outcome } from './exit.ts';
import { didYouMean } from './nearest.ts';
import { allTerminals } from './terminals.ts';

const NOT_FOUND = 404;
const NOT_POSSIBLE = 422;

export async function terminalIds(client: Client): Promise<string[]> {
  const reply = await allTerminals(client);
  return reply.ok ? reply.value.map(({ id }) => id) : [];
}

export async function componentNames(client: Client, terminal: string): Promise<string[]> {
  const reply = await client.get<TerminalView>(`/api/v1/terminals/${terminal}`, ['components']);
  return reply.ok ? reply.value.components.map(({ name }) => name) : [];
}

/** @returns how a verb ends that was refused, with the nearest name where a name was wrong */
export async function refusedFor(
  client: Client,
  refusal: Refusal,
  names: { readonly terminal: string; readonly component?: string },
): Promise<Outcome> {
  const { exit, sentence, status } = refusal;
  if (status === NOT_FOUND) {
    return ended(exit, sentence + didYouMean(names.terminal, await terminalIds(client)));
  }
  if (status === NOT_POSSIBLE && names.component !== undefined) {
    const known = await componentNames(client, names.terminal);
    const hint = known.includes(names.component) ? '' : didYouMean(names.component, known);
    // Where in the body it stood is the API's business.
    return ended(exit, sentence.replace(/^arguments\.component: /, '') + hint);
  }
  return ended(exit, sentence);
}
