// Not yet.

import type { Desk, Of } from './types.ts';

export function diagnose({ id }: Of<'diagnose'>, { done }: Desk): void {
  done(id, false, 'not known here');
}
