// What is meant for a terminal by what is released now: looked up for ten thousand terminals in every scrape, and worked
// out anew only when a document has changed.

import { releasedOf } from './model.ts';
import { createResolver, type Meant } from './resolve.ts';
import type { ConfigurationStore } from './store.ts';

export function createMeant(
  store: Pick<ConfigurationStore, 'names' | 'versionsOf'>,
): () => ReturnType<typeof createResolver> {
  let key = '';
  let resolver = createResolver([]);
  return () => {
    const released = store.names().flatMap((name): Meant[] => {
      const version = releasedOf(store.versionsOf(name));
      return version === undefined ? [] : [version];
    });
    const now = released.map(({ name, version, sha256 }) => `${name} ${version} ${sha256}`).join();
    if (now !== key) {
      key = now;
      resolver = createResolver(released);
    }
    return resolver;
  };
}
