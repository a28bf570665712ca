// What can happen to a bulk action and what it has done then: the words between machine.ts, which decides, and carry.ts,
// which does. Apart from both, so that each is read without the other.

import type { QueueState } from '../commands/queue.ts';
import type { Actor } from '../commands/request.ts';
import type { BulkModel } from './model.ts';

export type BulkEvent =
  | {
      readonly kind: 'start';
      readonly by: Actor;
      readonly reason: string;
      readonly joined?: boolean;
    }
  | {
      readonly kind: 'tick';
      /** Of those that wait: who can be reached. */
      readonly there: ReadonlySet<string>;
      /** What other bulk actions have under way, by store. */
      readonly others: ReadonlyMap<string, number>;
      /** What sells and is in no bulk action's hands, by store. */
      readonly selling: ReadonlyMap<string, number>;
      /** Where those stand that stood elsewhere when the list was frozen. */
      readonly moved: ReadonlyMap<string, string>;
      /** Who never comes back, and why. */
      readonly gone: ReadonlyMap<string, string>;
    }
  | { readonly kind: 'issued'; readonly terminal: string; readonly command: string }
  | {
      readonly kind: 'refused';
      readonly terminal: string;
      readonly reason: string;
    }
  | {
      readonly kind: 'result';
      readonly command: string;
      readonly state: QueueState;
      readonly reason: string;
    }
  | { readonly kind: 'pause'; readonly by: string; readonly reason: string }
  | {
      readonly kind: 'resume';
      readonly by: string;
      readonly reason: string;
      /** In whose name it goes on. */
      readonly as?: Actor;
    }
  /** In whose name it went on may not any more. */
  | { readonly kind: 'halt'; readonly reason: string }
  | { readonly kind: 'abort'; readonly by: string; readonly reason: string };

export type BulkStepName = 'start' | 'wave' | 'stop' | 'pause' | 'resume' | 'abort' | 'finish';
export type BulkEffect =
  /** Make its command; answered with `issued` or `refused`. */
  | { readonly kind: 'issue'; readonly terminal: string }
  | { readonly kind: 'cancel'; readonly command: string }
  /** For the audit log, and for those who must be told. */
  | {
      readonly kind: 'record';
      readonly step: BulkStepName;
      readonly by: string;
      readonly reason: string;
    };
export type BulkStep = { readonly model: BulkModel; readonly effects: readonly BulkEffect[] };
