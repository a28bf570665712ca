import { describe, expect, it } from 'vitest';
import {
  createNewest,
  FRESH_MS,
  PRESENT_MS,
  SCRAPED_TERMINALS_MAX,
} from '../../broker/http/scrape-newest.ts';
import { pageOf } from '../../broker/http/scrape-page.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import { happened, START_MS } from './fleet-rig.ts';
import { open } from './http-rig.ts';

const sample = (name: string, value: number, labels = {}): Sample => ({ name, labels, value });

async function written(...terminals: Parameters<typeof pageOf>[0]): Promise<string> {
  let page = '';
  for await (const piece of pageOf(terminals)) page += piece;
  return page;
}
const lane = (n: number, ...samples: Sample[]) => ({ store: 's', terminal: `lane-${n}`, samples });

describe('a page for a scrape', () => {
  it('has each name once, with help and type from the catalogue, and all its samples under it', async () => {
    const up = (n: number) => sample('pos_component_up', n, { component: 'sale' });
    const load = sample('pos_host_load1', 0.5);
    expect(await written(lane(1, load, up(1)), lane(2, up(0), load))).toBe(
      `# HELP pos_component_up 1 while the component is ready.
# TYPE pos_component_up gauge
pos_component_up{store="s",terminal="lane-1",component="sale"} 1
pos_component_up{store="s",terminal="lane-2",component="sale"} 0
# HELP pos_host_load1 Load average over one minute.
# TYPE pos_host_load1 gauge
pos_host_load1{store="s",terminal="lane-1"} 0.5
pos_host_load1{store="s",terminal="lane-2"} 0.5
`,
    );
  });

  it('escapes what would end a label, and writes every number', async () => {
    const page = await written(
      lane(
        1,
        sample('app_a', Number.NaN, { x: 'a "b" \\ c\nd' }),
        sample('app_b', Number.POSITIVE_INFINITY),
        sample('app_c', Number.NEGATIVE_INFINITY),
        sample('app_d', 1e21),
      ),
    );
    expect(page).toContain('app_a{store="s",terminal="lane-1",x="a \\"b\\" \\\\ c\\nd"} NaN\n');
    expect(page).toMatch(/^app_b\{.*\} \+Inf$/m);
    expect(page).toMatch(/^app_c\{.*\} -Inf$/m);
    expect(page).toMatch(/^app_d\{.*\} 1e\+21$/m);
    expect(page).toContain('# TYPE app_a untyped\n');
  });

  it('knows the histogram of a component by its three names', async () => {
    const bucket = (le: string, value: number) => sample('app_x_seconds_bucket', value, { le });
    const parts = [
      sample('app_x_seconds_sum', 3),
      bucket('1', 2),
      bucket('+Inf', 4),
      sample('app_x_seconds_count', 4),
    ];
    const page = await written(lane(1, ...parts));
    expect(page.match(/# TYPE .*/g)).toEqual(['# TYPE app_x_seconds histogram']);
    expect(page.split('\n').filter((line) => !line.startsWith('#') && line !== '')).toHaveLength(4);
    const lonely = await written(lane(1, sample('app_x_count', 1)));
    expect(lonely).toContain('# TYPE app_x_count untyped');
  });

  it('lets go of the loop between its pieces, however large the fleet', async () => {
    const samples = Array.from({ length: 150 }, (_, i) => sample(`app_${i}`, i));
    const terminals = Array.from({ length: 200 }, (_, n) => lane(n, ...samples));
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns += 1;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    let lines = 0;
    for await (const piece of pageOf(terminals)) lines += piece.split('\n').length - 1;
    counting = false;
    expect(lines).toBe(200 * 150 + 2 * 150);
    expect(turns).toBeGreaterThan(20);
  });
});

describe('the newest samples', () => {
  const start = () => {
    let nowMs = START_MS;
    const newest = createNewest(() => nowMs);
    const names = (terminal = 'lane-1') =>
      newest.of(terminal).map(({ name, value }) => `${name} ${value}`);
    const take = (timeMs: number, ...samples: Sample[]): void =>
      newest.take('lane-1', [{ timeMs, samples }]);
    const pass = (ms: number): void => {
      nowMs += ms;
    };
    return { newest, names, take, pass };
  };

  it('are the newest of each series, and backlog that comes after them changes nothing', () => {
    const { names, take } = start();
    take(START_MS, sample('a', 2));
    take(START_MS - 15_000, sample('a', 1), sample('b', 1));
    expect(names()).toEqual(['a 2', 'b 1']);
    take(START_MS - FRESH_MS - 1, sample('c', 1));
    expect(names()).toEqual(['a 2', 'b 1']);
  });

  it('hold what is looked at once a minute, and nothing that is gone for longer', () => {
    const { names, take, pass } = start();
    take(START_MS, sample('fast', 1), sample('slow', 1));
    pass(60_000);
    take(START_MS + 60_000, sample('fast', 2));
    expect(names()).toEqual(['fast 2', 'slow 1']);
    take(START_MS + PRESENT_MS + 1, sample('fast', 3));
    expect(names()).toEqual(['fast 3']);
  });

  it('are none when the newest is old, or from a clock that is ahead', () => {
    const { names, take, pass } = start();
    take(START_MS + FRESH_MS + 1, sample('a', 1));
    expect(names()).toEqual([]);
    take(START_MS, sample('a', 1));
    pass(FRESH_MS + 1);
    expect(names()).toEqual([]);
  });

  it('never are what only the broker may say', () => {
    const { names, take } = start();
    take(
      START_MS,
      sample('pos_terminal_up', 1),
      sample('pos_terminals', 9, { presence: 'lost' }),
      sample('a', 1),
    );
    expect(names()).toEqual(['a 1']);
  });

  it("never have a label of the database's own, for which it would refuse the whole page", () => {
    const { names, take } = start();
    take(START_MS, sample('a', 1), sample('b', 1, { __name__: 'pos_terminal_up' }));
    expect(names()).toEqual(['a 1']);
  });

  it('are kept of a terminal that took the place of one that is gone', () => {
    const { newest, pass } = start();
    const take = (terminal: string, timeMs: number) =>
      newest.take(terminal, [{ timeMs, samples: [sample('a', 1)] }]);
    for (let n = 0; n < SCRAPED_TERMINALS_MAX; n += 1) take(`lane-${n}`, START_MS);
    pass(FRESH_MS + 1);
    for (let n = 1; n <= SCRAPED_TERMINALS_MAX; n += 1) take(`lane-${n}`, START_MS + FRESH_MS);
    expect(newest.of(`lane-${SCRAPED_TERMINALS_MAX}`)).toHaveLength(1);
  });

  it('are kept of no more terminals than are shown', () => {
    const { newest } = start();
    for (let n = 0; n <= SCRAPED_TERMINALS_MAX; n += 1) {
      newest.take(`lane-${n}`, [{ timeMs: START_MS, samples: [sample('a', n)] }]);
    }
    expect(newest.of(`lane-${SCRAPED_TERMINALS_MAX - 1}`)).toHaveLength(1);
    expect(newest.of(`lane-${SCRAPED_TERMINALS_MAX}`)).toHaveLength(0);
  });
});

describe('GET /metrics/terminals', () => {
  it('shows what is there, and of a terminal that is not only that it is not', async () => {
    const { get, terminals, fleet, time, newest } = await open();
    fleet.onSamples(newest.take);
    terminals.metrics('lane-1', { timeMs: START_MS, samples: [sample('pos_host_load1', 0.5)] });
    fleet.drain();
    const page = (await get('/metrics/terminals', {})).body;
    expect(page).toContain('pos_host_load1{store="berlin",terminal="lane-1"} 0.5\n');
    expect(page).toContain('pos_terminal_up{store="berlin",terminal="lane-1"} 1\n');
    expect(page).toContain('pos_terminal_up{store="berlin",terminal="lane-2"} 0\n');
    expect(page).toContain(
      'pos_terminal_presence{store="berlin",terminal="lane-2",presence="never"} 1\n',
    );
    time.pass(200_000);
    const later = (await get('/metrics/terminals', {})).body;
    expect(later).toContain('pos_terminal_up{store="berlin",terminal="lane-1"} 0\n');
    expect(later).not.toContain('pos_host_load1');
  });

  it('refuses a fleet that is too large to be scraped, with what to do instead', async () => {
    const many = Array.from({ length: SCRAPED_TERMINALS_MAX + 1 }, (_, i) => ({
      id: `t${i}`,
      store: 's',
    }));
    const { get } = await open({ terminals: many });
    const reply = await get('/metrics/terminals', {});
    expect([reply.statusCode, reply.json().detail]).toEqual([
      422,
      expect.stringMatching(/at most 200 terminals.*sinks\.remoteWrite/),
    ]);
  });

  it('counts failures by cause, and how old samples are when they arrive', async () => {
    const { terminals, fleet, metrics, time } = await open();
    const { createDeliveryLag } = await import('../../broker/delivery-lag.ts');
    fleet.onSamples(createDeliveryLag(metrics.deliveryLagSeconds));
    time.pass(40_000);
    terminals.metrics('lane-1', { timeMs: START_MS, samples: [sample('a', 1)] });
    terminals.metrics('lane-1', { timeMs: START_MS - 3_600_000, samples: [sample('a', 1)] });
    const fields = { incident: 'i1', cause: 'hang' as const, reason: 'hung', version: '1' };
    terminals.events(
      'lane-1',
      happened(START_MS, { kind: 'incident_opened', component: 'sale', fields }),
    );
    fleet.drain();
    const page = await metrics.registry.metrics();
    expect(page).toContain('pos_fleet_failures_total{cause="hang"} 1');
    expect(page).toContain('pos_incidents_open{cause="hang"} 1');
    expect(page).toContain('tillwatch_delivery_lag_seconds_bucket{le="30"} 0');
    expect(page).toContain('tillwatch_delivery_lag_seconds_bucket{le="60"} 1');
    expect(page).toContain('tillwatch_delivery_lag_seconds_count 1');
  });
});
