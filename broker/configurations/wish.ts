// What operators ask of configurations, and who may: shared by what plans, starts and forgets them.

import { isAllowed } from '../../protocol/catalogue.ts';
import type { Audit } from '../audit.ts';
import type { Bulks } from '../bulk/desk.ts';
import type { Selector } from '../bulk/select.ts';
import type { Clock } from '../clock.ts';
import type { Actor } from '../commands/commands.ts';
import { type Refusal, refuse } from '../commands/view.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Look, LookOptions } from './look.ts';
import type { ConfigurationStore } from './store.ts';

export type PlanWish = {
  readonly name: string;
  readonly text: string;
  /** As the last version's where it is not said. */
  readonly selector?: Selector | undefined;
  readonly reason: string;
  readonly actor: Actor;
  readonly lastsMs?: number | undefined;
  readonly readyMs?: number | undefined;
  readonly restores?: number | undefined;
};
export type Answer<T> = { readonly ok: true; readonly view: T } | Refusal;

export type DeskOptions = Omit<LookOptions, 'fleet' | 'bulks'> & {
  readonly fleet: LookOptions['fleet'] & Pick<Fleet, 'database'>;
  readonly bulks: Pick<Bulks, 'plan' | 'start' | 'get' | 'guardBy' | 'leaveOutBy'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs'>;
};

export const NOT_THERE = 'there is no such configuration';
export const wrongActor = ({ name, role }: Actor): Refusal | undefined =>
  isAllowed(role, 'admin')
    ? undefined
    : refuse('forbidden', `this needs the role admin: ${name} has the role ${role}`);

export type Parts = { readonly store: ConfigurationStore; readonly look: Look };
