// Who is refused chooses what they were refused for: a card number in it stands neither in the audit log, out of which
// nothing can be taken, nor in the broker's own.

import { describe, expect, it } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { auditTold } from '../../broker/audit-told.ts';
import { createErrorHandler } from '../../broker/http/problem.ts';
import { limitLog } from '../../broker/log-limit.ts';
import { auditRefusals } from '../../broker/secured.ts';
import { happened, rig, START_MS } from './fleet-rig.ts';
import { open } from './http-rig.ts';

const CARD = '4111111111111111';
const SPACED = '4111 1111 1111 1111';
const HOLDS_CARD = /4111[ -]?1111/;
const reason = `about ${SPACED}`;

const REQUESTS: readonly (readonly [path: string, body: object])[] = [
  [`/terminals/${CARD}/logs`, { reason, sinceMs: 1, untilMs: 2 }],
  [`/terminals/${encodeURIComponent(SPACED)}/tail`, { reason }],
  [`/terminals/${CARD}/commands`, { kind: CARD, operator: CARD, arguments: {}, reason }],
  [`/logs/${CARD}/cancel`, { reason }],
  [`/operators/${CARD}/token`, { reason }],
  ['/operators', { name: CARD, role: CARD, reason }],
  ['/session', { token: `tw_${CARD}_${CARD}` }],
  ['/enrol', { terminal: CARD, token: CARD, csr: CARD }],
];

it('a card number in a refused request stands nowhere in the audit log, but its mark', async () => {
  const { post, audit } = await open();
  for (const [path, body] of REQUESTS) {
    for (const headers of [{}, { authorization: 'Bearer nobody' }]) {
      const answer = await post(`/api/v1${path}`, body, headers);
      expect(answer.statusCode, path).toBeGreaterThanOrEqual(400);
      expect(JSON.stringify(audit.list(9)), path).not.toMatch(HOLDS_CARD);
    }
  }
  const entries = audit.list(100);
  expect(entries.length).toBeGreaterThanOrEqual(2 * REQUESTS.length - 2);
  expect(entries.at(-1)).toMatchObject({
    ...{ subject: '[PAN visa ....1111]', action: 'command.logs.create' },
    reason: 'about [PAN visa ....1111]',
  });
});

it('a card number that a terminal or a stranger sends is in no entry of their refusal', () => {
  const { fleet, time, metrics, terminals } = rig();
  const audit = openAudit(fleet.database, time.clock, metrics);
  fleet.onNews(auditTold(audit));
  const fields = { why: 'unsigned', reason, command: CARD, count: Number(CARD) } as const;
  const event = { kind: 'command_refused', component: '', fields } as const;
  terminals.events('lane-1', happened(START_MS, event));
  fleet.drain();
  const refused = { reason: 'identity', sentence: `no ${SPACED}`, address: CARD, terminal: CARD };
  auditRefusals(audit)(refused as Parameters<ReturnType<typeof auditRefusals>>[0]);
  expect(audit.list(9)).toHaveLength(2);
  expect(JSON.stringify(audit.list(9))).not.toMatch(HOLDS_CARD);
});

describe("the broker's own log", () => {
  const lines: unknown[] = [];
  const write = (message: string, fields: unknown): number => lines.push([message, fields]);
  const log = { info: write, warn: write, error: write };

  it('masks card data in what strangers cause, and nothing else', () => {
    lines.length = 0;
    const limited = limitLog(log, { monotonicMs: () => 0 });
    const id = '0d9c36b5-6c1c-4c52-9f0f-3a1b5f4ce1a7';
    limited.warn('refused', { client: CARD, sentence: reason, list: [CARD], count: 5, id });
    expect(JSON.stringify(lines)).not.toMatch(HOLDS_CARD);
    expect(lines).toMatchObject([['refused', { client: '[PAN visa ....1111]', count: 5, id }]]);
  });

  it('masks card data in what a failed request says', () => {
    lines.length = 0;
    const reply = { code: () => reply, header: () => reply, type: () => reply, send: () => reply };
    const request = { method: 'GET', routeOptions: { url: '/x' } };
    const handler = createErrorHandler(log) as unknown as (...of: unknown[]) => unknown;
    handler(new Error(`no row ${CARD}`), request, reply);
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toMatch(HOLDS_CARD);
  });
});
