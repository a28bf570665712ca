// In which order processes are searched for a holder: the time for it is short, and after the kernel has begun again with
// small numbers the youngest are not those with the largest.

import { expect, it } from 'vitest';
import type { Ports } from '../../agent/ports.ts';
import { findHolders } from '../../agent/watchdog/held.ts';

it('the youngest come first, also after the numbers have begun anew', () => {
  const asked: string[] = [];
  const ports = {
    clock: { monotonicMs: () => 0 },
    processes: { ownPid: 7 },
    files: {
      list: () => ['1', '7', '90', '120', '300', '32000', 'meminfo'],
      read: (path: string) => (path === '/proc/loadavg' ? '0.2 0.1 0.1 1/80 125\n' : undefined),
      nodeOf: () => '1:1',
      readLink: () => undefined,
      some: (path: string) => {
        asked.push(path.split('/')[2] ?? '');
        return [];
      },
    },
  } as unknown as Ports;
  findHolders(ports, { ports: [], files: ['/dev/printer'] });
  expect(asked).toEqual(['120', '90', '1', '32000', '300']);
});
