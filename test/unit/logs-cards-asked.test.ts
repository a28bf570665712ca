// Who looks for a card's number types it: what an operator says must not carry it to where logs may not.

import { describe, expect, it } from 'vitest';
import { CARD, LINES, wire } from './logs-wire.ts';

const SPACED = '4111 1111 1111 1111';
const PLACES = ['/api/v1/terminals/lane-1/logs', '/api/v1/terminals/lane-1/tail', '/api/v1/logs'];

describe('a card number in what somebody asks', () => {
  it.each(PLACES)('is refused at %s, and stands nowhere', async (path) => {
    const { post, commands, audit, get } = await wire();
    const { reason, ...window } = LINES;
    const whose = path.endsWith('/tail') ? {} : window;
    const of = path === '/api/v1/logs' ? { ...whose, selector: { terminals: ['lane-1'] } } : whose;
    const said = [{ text: CARD }, { text: `paid by ${SPACED}` }, { reason: `about ${SPACED}` }];
    const more = path.endsWith('/tail') ? [] : [{ pattern: `${CARD}.*paid` }];
    for (const words of [...said, ...more]) {
      const answer = await post(path, { ...of, reason, ...words });
      expect(answer.statusCode, JSON.stringify(words)).toBe(422);
      expect(answer.body).toContain('card');
      expect(answer.body).not.toMatch(/4111/);
    }
    expect(commands.countOpen()).toBe(0);
    expect(JSON.stringify(audit.list(100))).not.toMatch(/4111 ?1111/);
    expect((await get('/api/v1/logs')).json()).toEqual({ requests: [] });
  });

  it('is refused in a search over what is kept, and as the reason of an end', async () => {
    const { ask, post, get, audit } = await wire();
    const id = await ask();
    expect((await get(`/api/v1/logs/search?text=${CARD}`)).statusCode).toBe(422);
    const ended = await post(`/api/v1/logs/${id}/cancel`, { reason: `it was ${SPACED}` });
    expect(ended.statusCode).toBe(422);
    expect(JSON.stringify(audit.list(100))).not.toMatch(/4111 ?1111/);
  });

  it('and what only looks like one is asked for: its last digits, a receipt, a time', async () => {
    const { ask, view } = await wire();
    for (const text of ['....1111', 'receipt 20261123120000', '1763899200123']) {
      expect(await view(await ask({ text, reason: `about ${text}` }))).toMatchObject({ text });
    }
  });
});

describe('a regular expression', () => {
  it('that is larger than a broker has time for is refused', async () => {
    const { post } = await wire();
    const path = '/api/v1/terminals/lane-1/logs';
    const large = { ...LINES, pattern: '\\pL{1000}'.repeat(110) };
    const answer = await post(path, large);
    expect([answer.statusCode, answer.body]).toEqual([422, expect.stringContaining('too large')]);
    const usual = { ...LINES, pattern: '(?i)timeout.{0,500}(?:printer|drawer)\\s+\\d{1,8}' };
    expect((await post(path, usual)).statusCode).toBe(202);
  });
});
