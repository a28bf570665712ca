// Reading the tables of sockets and the arguments of a debugged program: text in, values out.

import { describe, expect, it } from 'vitest';
import { inspectorPorts } from '../../agent/watchdog/debugger.ts';
import { parseTcp } from '../../agent/watchdog/sockets.ts';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const LISTENING =
  '   0: 0100007F:240D 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41001 1 0000000000000000 100 0 0 10 0';
const CONNECTED =
  '  12: 0100007F:240D 0100007F:C350 01 00000000:00000000 02:000A7A3C 00000000     0        0 41777 2 0000000000000000 20 4 30 10 -1';
const SIX =
  '   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1 0 100 0 0 10 0';

describe('the table of TCP sockets', () => {
  it('is read row by row, version 4 and 6', () => {
    expect(parseTcp([HEAD, LISTENING, CONNECTED, SIX, ''].join('\n'))).toEqual([
      { port: 9229, state: '0A', inode: 41_001 },
      { port: 9229, state: '01', inode: 41_777 },
      { port: 8080, state: '0A', inode: 7 },
    ]);
  });

  it('gives what is whole in a table that was cut, and nothing where there is none', () => {
    expect(parseTcp(`${HEAD}\n${LISTENING}\n${CONNECTED.slice(0, 60)}`)).toHaveLength(1);
    expect(parseTcp(undefined)).toEqual([]);
    expect(parseTcp('garbage\n')).toEqual([]);
  });
});

describe('the port of an inspector', () => {
  it.each([
    ['none asked for', ['node', 'main.js', '--verbose'], []],
    ['the usual one', ['node', '--inspect', 'main.js'], [9229]],
    ['a port', ['node', '--inspect=4000', 'main.js'], [4000]],
    ['host and port', ['node', '--inspect-brk=127.0.0.1:4001', 'main.js'], [4001]],
    ['an address of version 6', ['node', '--inspect=[::1]:4002', 'main.js'], [4002]],
    ['any port', ['node', '--inspect=0', 'main.js'], [0]],
    ['a host alone', ['node', '--inspect=localhost', 'main.js'], [9229]],
    ['a port for later', ['node', '--inspect-port', '4003', 'main.js'], [4003]],
    ['waiting', ['node', '--inspect-wait', 'main.js'], [9229]],
    ['a word that only begins so', ['node', '--inspector-gadget', '--inspected=1'], []],
  ])('%s', (_what, words, ports) => {
    expect(inspectorPorts(words)).toEqual(ports);
  });
});
