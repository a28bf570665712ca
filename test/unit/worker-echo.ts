// A worker for worker.test.ts: echoes, dies on demand, and may take its time to stop.

import { attachWorker } from '../../broker/worker.ts';

type To = { readonly kind: 'say'; readonly text: string } | { readonly kind: 'die' };
type From = { readonly kind: 'hello' | 'said' | 'stopped'; readonly text: string };

const side = attachWorker<{ greeting: string; stuck: boolean }, To, From>(
  (message) => {
    if (message.kind === 'die') throw new Error('told to die');
    side.post({ kind: 'said', text: message.text });
  },
  () => {
    if (side.data.stuck) return new Promise<void>(() => {});
    side.post({ kind: 'stopped', text: '' });
    return undefined;
  },
);
side.post({ kind: 'hello', text: side.data.greeting });
