// Who may speak for a component on the channel: the decision alone, without a socket. It asks for the
// instance and the token that this agent gave to the present process, and pins the main role to one
// process, because a child inherits the environment of its parent and would go on beating when the
// parent's main loop is stuck.

import { timingSafeEqual } from 'node:crypto';
import type { FromComponent, LineFault } from './messages.ts';

export type RejectReason =
  | LineFault
  | 'bad_hello'
  | 'hello_timeout'
  | 'unknown_component'
  | 'bad_instance'
  | 'bad_token'
  | 'other_process'
  | 'witness'
  | 'too_long'
  | 'too_fast'
  | 'too_many'
  | 'slow_reader';

export type Hello = Extract<FromComponent, { kind: 'hello' }>;
export type Said = Exclude<FromComponent, { kind: 'hello' }>;

/** Who may speak for a component at present. `pid`: of its main process, where it is known. */
export type Expected = {
  readonly instance: string;
  readonly token: string;
  readonly pid: number | undefined;
  readonly beatMs: number;
  readonly deadlineMs: number;
};

/** The process that said hello first for an instance. */
export type MainPin = { readonly instance: string; readonly pid: number };
export type Refusal = { readonly reason: RejectReason; readonly what: string };

export const CONNECTIONS_PER_COMPONENT_MAX = 4;

const sameToken = (given: string, expected: string): boolean => {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
};

/** @param open connections that this component has already. @returns why not, or nothing. */
export function refuseHello(
  hello: Hello,
  expected: Expected,
  pin: MainPin | undefined,
  open: number,
): Refusal | undefined {
  if (hello.instance !== expected.instance) {
    return { reason: 'bad_instance', what: 'is not the instance that runs' };
  }
  if (!sameToken(hello.token, expected.token)) {
    return { reason: 'bad_token', what: 'has a wrong token' };
  }
  if (open >= CONNECTIONS_PER_COMPONENT_MAX) {
    return { reason: 'too_many', what: 'has too many connections' };
  }
  const other = pin?.instance === hello.instance && pin.pid !== hello.pid;
  // The process that the agent itself started is always right, also when a child was faster.
  if (hello.role === 'main' && other && hello.pid !== expected.pid) {
    return { reason: 'other_process', what: 'has a second process that wants to beat for it' };
  }
  return undefined;
}

/** From a thread that only watches, progress of the main loop proves nothing. */
const WITNESS_MAY_SAY: readonly Said['kind'][] = ['status', 'trouble', 'evidence'];

export const maySay = (role: Hello['role'], kind: Said['kind']): boolean =>
  role === 'main' || WITNESS_MAY_SAY.includes(kind);
