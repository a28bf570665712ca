// What `recovery --peers` shows to people, in 80 columns: when each supervisor noticed and when the till served
// again, what it left behind, and what became of the till when the supervisor itself was killed.

import type { Spread } from '../harness.ts';
import { FAULTS, type Fault } from './peer.ts';
import type { FaultFigures, Outcome, PeerFigures } from './run.ts';

const NAME_CHARS = 20;
const CELL_CHARS = 14;
const TITLES: Readonly<Record<Fault, string>> = {
  crash: 'crash',
  stop: 'stopped',
  deadlock: 'deadlocked',
  spin: 'spinning',
};

const seconds = (ms: number): string => (ms / 1000).toFixed(ms < 10_000 ? 2 : 1);
const pair = ({ p50, p95 }: Spread): string => `${seconds(p50)} / ${seconds(p95)}`;
const row = (name: string, cells: readonly string[], chars = CELL_CHARS): string =>
  `${name.padEnd(NAME_CHARS)}${cells.map((cell) => cell.padStart(chars)).join('')}`;

function cell(
  figures: FaultFigures | undefined,
  of: (f: FaultFigures) => Spread | undefined,
): string {
  if (figures === undefined || figures.n === 0) return '-';
  const found = of(figures);
  if (found === undefined) {
    return figures.never > 0 ? `never (${figures.waitedMs / 1000} s)` : 'no record';
  }
  return found.n < figures.n ? `${found.n} of ${figures.n} found` : pair(found);
}

const times = (
  title: string,
  peers: readonly PeerFigures[],
  of: (f: FaultFigures) => Spread | undefined,
): string[] => [
  title,
  row(
    '',
    FAULTS.map((fault) => TITLES[fault]),
  ),
  ...peers.map(({ name, faults }) =>
    row(
      name,
      FAULTS.map((fault) => cell(faults[fault], of)),
    ),
  ),
  '',
];

const LEFT_CHARS = 10;
const left = (peers: readonly PeerFigures[]): string[] => [
  'left behind: helpers still there per death, second copies, zombies, log lines',
  'lost; processes (and its port) still there after the supervisor was stopped well',
  'and how many computations of four seconds, which are no hang, were killed',
  row('', ['orphans', 'copies', 'zombies', 'lines', 'at end', '4 s busy'], LEFT_CHARS),
  ...peers.map((peer) =>
    row(
      peer.name,
      [
        peer.deaths === 0 ? '-' : (peer.left.orphans / peer.deaths).toFixed(1),
        String(peer.left.duplicates),
        String(peer.left.zombies),
        peer.deaths === 0 ? '-' : String(peer.lost.lines),
        `${peer.leftAfterStop}${peer.portHeldAfterStop ? ' + port' : ''}`,
        peer.computed.n === 0 ? '-' : `${peer.computed.killed} of ${peer.computed.n}`,
      ],
      LEFT_CHARS,
    ),
  ),
  '',
];

const AFTER = {
  adopted: 'adopted',
  copies: 'copies',
  anew: 'started anew',
  down: 'down',
} as const;

function killedCells({ killed }: PeerFigures): string[] {
  if (killed === undefined) return ['-', '-', '-', '-'];
  const { sellsOn, after, copies, lostLines, crashReadyMs } = killed;
  return [
    sellsOn ? 'sells on' : 'dead',
    after === 'copies' ? `${copies} copies` : AFTER[after],
    String(lostLines),
    crashReadyMs === undefined ? 'never (30 s)' : `${seconds(crashReadyMs)} s`,
  ];
}

const killed = (peers: readonly PeerFigures[]): string[] => [
  'when the supervisor is killed (SIGKILL) and started again three seconds later:',
  'the till meanwhile, after the return, its log lines lost, the next crash healed',
  row('', ['meanwhile', 'after', 'lines', 'next crash']),
  ...peers.map((peer) => row(peer.name, killedCells(peer))),
  '',
];

export function table({ peers, skipped }: Outcome): string {
  const all = Object.values(peers);
  return [
    ...times('back in service, s, p50 / p95', all, (f) => f.readyMs),
    ...times("detected, by the supervisor's own record, s, p50 / p95", all, (f) => f.detectedMs),
    ...left(all),
    ...killed(all),
    ...all.map(({ name, settings, blind }) =>
      [`${name}: ${settings}`, ...(blind === undefined ? [] : [`  (${blind})`])].join('\n'),
    ),
    ...Object.entries(skipped).map(([name, why]) => `skipped: ${name}: ${why}`),
  ].join('\n');
}
