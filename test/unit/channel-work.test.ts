// Which work a component tells, and when: quick work never, lasting work once it lasts, money that moves at once.

import { describe, expect, it } from 'vitest';
import type { FromComponent } from '../../agent/channel/messages.ts';
import { WorkItems } from '../../agent/channel/work.ts';

function told(name: string): FromComponent[] {
  const sent: FromComponent[] = [];
  const items = new WorkItems((message) => sent.push(message));
  items.begin(name, 10_000);
  items.close();
  return sent;
}

describe('work that begins', () => {
  it('is not spoken of before it has lasted', () => {
    expect(told('print')).toEqual([]);
    expect(told('tendering')).toEqual([]);
  });

  it('is told in the same moment when it is a tender: a kill must know of it', () => {
    expect(told('tender')).toMatchObject([{ kind: 'begin', name: 'tender' }]);
    expect(told('tender:card')).toMatchObject([{ kind: 'begin', name: 'tender:card' }]);
  });
});
