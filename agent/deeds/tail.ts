// What a live tail needs of the deeds: components that say more while somebody watches. Each is asked as `log_level` asks
// it; one that does not speak the channel, or does not know levels, is watched as it is.

import type { Raising } from '../logs/tail/tails.ts';
import type { Desk } from './types.ts';

export const raisingWith = ({ levels }: Pick<Desk, 'levels'>): Raising => ({
  raise: async (request, components, level, forMs) => {
    const answers = await Promise.all(
      components.map(async (component) => {
        const { ok } = await levels.set(component, level, forMs, request);
        return ok ? [] : [component];
      }),
    );
    return answers.flat();
  },
  lower: (request) => levels.lower(request),
});
