// What the broker asks terminals for by itself: the last lines of each incident, within a budget that keeps a till which
// fails all day from filling its store's line.

import * as v from 'valibot';
import { group, whole } from './config-parts.ts';

const MIB = 1024 ** 2;

export const logSettings = group({
  // Of one terminal, within any 24 hours: so many requests, and bytes of answers. 0 of either: none are made.
  automatic: group({
    perDay: v.optional(whole(0, 1_000), 10),
    bytesMax: v.optional(whole(0, 64 * MIB), MIB),
  }),
});

export type AutomaticSettings = { readonly perDay: number; readonly bytesMax: number };
export const AUTOMATIC_DEFAULT: AutomaticSettings = { perDay: 10, bytesMax: MIB };
