// Not yet.

import type { Desk, Of } from './types.ts';

export function configure({ id }: Of<'configure'>, { done }: Desk): void {
  done(id, false, 'not known here');
}
