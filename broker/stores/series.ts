// Stores as series, recorded once a minute beside those of terminals (fleet/observations.ts). The label terminal is left
// out. A store of which no hours are known has neither "open" nor lanes: what is missing can be asked for, what is
// guessed is believed.

import type { Sample } from '../../protocol/metric-body.ts';
import type { MetricNameOf } from '../../protocol/metrics.ts';
import type { StoreView } from './types.ts';

type Name = MetricNameOf<'registry', 'gauge'>;

export function seriesOf(stores: Iterable<StoreView>): Sample[] {
  const samples: Sample[] = [];
  for (const { id: store, region, timeZone, open, lanesExpected } of stores) {
    const add = (name: Name, value: number, more = {}): void => {
      samples.push({ name, labels: { store, ...more }, value });
    };
    add('pos_store_info', 1, { region, time_zone: timeZone });
    if (open === undefined) continue;
    add('pos_store_open', open ? 1 : 0);
    add('pos_store_lanes_expected', lanesExpected);
  }
  return samples;
}

export const STORE_STATES = ['open', 'closed', 'unknown'] as const;
export type StoreState = (typeof STORE_STATES)[number];
export const stateOf = (open: boolean | undefined): StoreState =>
  open === undefined ? 'unknown' : open ? 'open' : 'closed';
