// A bulk action as the API shows it: what it is about, how far it is, and what has to be said to start it. Its list is
// asked for apart, page by page.

import { catalogue } from '../../protocol/catalogue.ts';
import { toldArguments } from '../commands/view.ts';
import {
  type BulkModel,
  type BulkState,
  type Counts,
  confirmOf,
  countsOf,
  isWide,
  storesOf,
} from './model.ts';

export type BulkView = Pick<
  BulkModel,
  | 'id'
  | 'plannedBy'
  | 'reason'
  | 'createdMs'
  | 'lastsMs'
  | 'startedMs'
  | 'expiresMs'
  | 'endedMs'
  | 'why'
  | 'wave'
  | 'limits'
  | 'leftOut'
> & {
  readonly kind: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly state: BulkState;
  readonly startedBy: string | undefined;
  /** Terminals in its list: the number that starting it demands. */
  readonly count: number;
  readonly stores: number;
  readonly counts: Counts;
  /** Whether a cashier may be unable to sell while it runs. */
  readonly stopsSelling: boolean;
  /** Whether it is done by an admin alone, who types `confirm`. */
  readonly wide: boolean;
  readonly confirm: string | undefined;
};

export function bulkView(model: BulkModel): BulkView {
  const { content, startedBy, targets, forgiven: _, resultMs: _r, fleetSize: _f, ...shown } = model;
  const wide = isWide(model);
  return {
    ...shown,
    kind: content.kind,
    arguments: toldArguments(content.arguments),
    startedBy: startedBy?.name,
    count: targets.length,
    stores: storesOf(model),
    counts: countsOf(model),
    stopsSelling: catalogue[content.kind].stopsSelling,
    wide,
    confirm: wide ? confirmOf(model) : undefined,
  };
}
