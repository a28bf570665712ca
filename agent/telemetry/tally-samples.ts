// What was counted of a component's output, as series. A name of the catalogue is sent as it is, any other under
// `app_`; each carries the version that printed the line, because errors that are counted belong to it. Pure.

import { hasVersion, isForComponents, type LineCounter } from '../../configuration/metrics.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import type { TallySet } from './tally.ts';

/**
 * Of one counter; of a name of the catalogue that has no version, over all of them. Without labels it is there before
 * its first line, because a series that appears with 1 has no increase.
 */
export function samplesOf(
  { name, labels }: LineCounter,
  sets: readonly TallySet[],
  { component, version }: { readonly component: string; readonly version: string },
): Sample[] {
  const isOurs = isForComponents(name);
  const outward = isOurs || name.startsWith('app_') ? name : `app_${name}`;
  const withVersion = !isOurs || hasVersion(name);
  const isThere = labels.length > 0 || sets.some((one) => !withVersion || one.version === version);
  const all = isThere ? sets : [{ version, values: [], count: 0 }, ...sets];
  const byLabels = new Map<string, Sample>();
  for (const { version: of, values, count } of all) {
    const named = labels.map((label, at) => [label, values[at] ?? ''] as const);
    const own = withVersion ? { component, version: of } : { component };
    const key = `${values.join('\0')}\0${withVersion ? of : ''}`;
    const value = count + (byLabels.get(key)?.value ?? 0);
    byLabels.set(key, { name: outward, labels: { ...Object.fromEntries(named), ...own }, value });
  }
  return [...byLabels.values()];
}
