import { expect, it } from 'vitest';
import { formatHello, parseHello } from '../../protocol/hello.ts';

const hello = { machine: '0123456789abcdef', instance: 'fedcba9876543210', trust: 12 };

it('an agent’s word of itself is read as it was written', () => {
  expect(parseHello(formatHello(hello))).toEqual(hello);
});

it.each([
  undefined,
  '',
  'kim',
  '2;machine=0123456789abcdef;instance=fedcba9876543210;trust=1',
  '1;machine=0123456789abcde;instance=fedcba9876543210;trust=1',
  '1;machine=0123456789abcdef;instance=fedcba987654321;trust=1',
  '1;machine=0123456789ABCDEF;instance=fedcba9876543210;trust=1',
  '1;machine=0123456789abcdef;instance=fedcba9876543210;trust=-1',
  '1;machine=0123456789abcdef;instance=fedcba9876543210;trust=1;more',
  '1;machine=0123456789abcdef;instance=fedcba9876543210;trust=1234567890123456',
])('%j is no such word', (text) => {
  expect(parseHello(text)).toBeUndefined();
});
