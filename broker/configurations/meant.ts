// What is meant for a terminal by what is released now: looked up for ten thousand terminals in every scrape, and worked
// out anew only when a document has changed.

import { releasedOf } from './model.ts';
import { createResolver, type Meant } from './resolve.ts';
import type { ConfigurationStore } from './store.ts';

export function createMeant(
  store: Pick<ConfigurationStore, 'names' | 'versionsOf' | 'revision'>,
): () => ReturnType<typeof createResolver> {
  let seen: number | undefined;
  let resolver = createResolver([]);
  return () => {
    const revision = store.revision();
    if (revision === seen) return resolver;
    seen = revision;
    resolver = createResolver(
      store.names().flatMap((name): Meant[] => {
        const version = releasedOf(store.versionsOf(name));
        return version === undefined ? [] : [version];
      }),
    );
    return resolver;
  };
}
