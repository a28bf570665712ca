import { fastify } from 'fastify';
import { expect, it } from 'vitest';
import { addRequestLimit } from '../../broker/http/limits.ts';

it('one customer with a whole network of IPv6 addresses asks as often as one address', async () => {
  const app = fastify();
  const limits = { connectionsPerAddress: 1, requestsPerSecond: 2 };
  addRequestLimit(app, limits, { monotonicMs: () => 0 });
  app.get('/', () => 'ok');
  const ask = async (remoteAddress: string) =>
    (await app.inject({ url: '/', remoteAddress })).statusCode;
  const statuses: number[] = [];
  for (let i = 0; i < 12; i += 1) statuses.push(await ask(`2001:db8:0:1::${i.toString(16)}`));
  expect(statuses).toEqual([...Array(10).fill(200), 429, 429]);
  expect(await ask('2001:db8:0:2::1')).toBe(200);
});
