// `tillwatch operators`: who may sign in and do what; for admins. A new token is printed once, alone on standard output, so
// that it can go into a file or to the one it is for.

import type { Role } from '../../protocol/catalogue.ts';
import { ROLES } from '../../protocol/catalogue.ts';
import type { Reply, WideClient } from '../client.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { didYouMean } from '../nearest.ts';
import { age } from '../screen.ts';

export type OperatorView = {
  readonly name: string;
  readonly role: Role;
  readonly enabled: boolean;
  readonly createdBy: string;
  readonly signedInMs?: number;
};
type WithToken = { readonly operator: OperatorView; readonly token: string };

export type OperatorsContext = {
  readonly print: (line: string) => unknown;
  readonly tell: (line: string) => unknown;
  readonly client: WideClient;
  readonly nowMs: () => number;
  readonly json: boolean;
};

const PATH = '/api/v1/operators';
const pathOf = (name: string): string => `${PATH}/${encodeURIComponent(name)}`;

function readRole(text: string | undefined): Role | string {
  const role = ROLES.find((known) => known === text);
  if (role !== undefined) return role;
  const roles = ROLES.join(', ');
  if (text === undefined) return `say which role with --role: one of ${roles}`;
  return `there is no role ${JSON.stringify(text)}${didYouMean(text, ROLES)}: use one of ${roles}`;
}
const isRole = (text: string): text is Role => ROLES.some((known) => known === text);

export async function listOperators(context: OperatorsContext): Promise<Outcome> {
  const { client, print, json, nowMs } = context;
  const reply = await client.get<{ operators: OperatorView[] }>(PATH, ['operators']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const { operators } = reply.value;
  if (json) print(JSON.stringify(reply.value, undefined, 2));
  const width = Math.max(0, ...operators.map(({ name }) => name.length));
  for (const { name, role, enabled, signedInMs } of json ? [] : operators) {
    const seen =
      signedInMs === undefined ? 'never signed in' : `signed in ${age(nowMs() - signedInMs)} ago`;
    print(`${name.padEnd(width)}  ${role.padEnd(6)}  ${enabled ? seen : 'disabled'}`);
  }
  return done;
}

function showToken(
  { print, tell, json }: OperatorsContext,
  reply: Reply<WithToken>,
  what: string,
): Outcome {
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (json) print(JSON.stringify(reply.value, undefined, 2));
  else {
    tell(`${what}; this is the only time that the token is shown:`);
    print(reply.value.token);
  }
  return done;
}

export async function addOperator(
  context: OperatorsContext,
  name: string,
  roleText: string | undefined,
): Promise<Outcome> {
  const role = readRole(roleText);
  if (!isRole(role)) return ended(EXIT.usage, role);
  const reply = await context.client.post<WithToken>(PATH, { name, role });
  return showToken(context, reply, `${name} is an operator with the role ${role}`);
}

export async function newOperatorToken(context: OperatorsContext, name: string): Promise<Outcome> {
  const reply = await context.client.post<WithToken>(`${pathOf(name)}/token`, {});
  return showToken(context, reply, `the old token of ${name} and its sessions have ended`);
}

export async function changeOperator(
  { client, print, json }: OperatorsContext,
  name: string,
  wish: { readonly role?: string; readonly enabled?: boolean },
): Promise<Outcome> {
  const role = wish.role === undefined ? undefined : readRole(wish.role);
  if (role !== undefined && !isRole(role)) return ended(EXIT.usage, role);
  const reply = await client.patch<OperatorView>(pathOf(name), { ...wish, ...(role && { role }) });
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const { enabled, role: now } = reply.value;
  if (json) print(JSON.stringify(reply.value, undefined, 2));
  else print(enabled ? `${name} has the role ${now}` : `${name} is disabled, and signed out`);
  return done;
}
