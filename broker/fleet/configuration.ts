// Which version of the fleet's configuration a terminal runs, as it tells itself: with each inventory, and by events when
// one was tried. What it went back from is remembered until it has kept that version, so that nobody sends it again.

import type { EventFields } from '../../protocol/events.ts';
import { isNewer, NOWHERE, type Place, type TerminalModel, WORD_CHARS_MAX } from './model.ts';

export type ConfigurationModel = {
  readonly state: 'own' | 'trial' | 'kept';
  /** Empty and 0 while it runs under its own file alone. */
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  /** Settings of this one till lie over it. */
  readonly overridden: boolean;
  readonly at: Place;
};
/** The newest version that it did not take, or went back from. */
export type RefusedModel = {
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  readonly reason: string;
  readonly at: Place;
};

const REASON_CHARS_MAX = 500;
const HASH = /^[0-9a-f]{64}$/;
const word = (text: string): string => text.slice(0, WORD_CHARS_MAX);

/** Agents before 0.2 did not say. */
export function configurationIn(
  { configuration: known }: TerminalModel,
  fields: EventFields<'inventory'>,
  at: Place,
): ConfigurationModel | undefined {
  const said = fields.configuration;
  if (known !== undefined && !isNewer(at, known.at)) return known;
  if (said === undefined) return undefined;
  const { state, name = '', version = 0, sha256 = '', overridden = false } = said;
  const running = { name: word(name), version, sha256: HASH.test(sha256) ? sha256 : '' };
  return { state, ...running, overridden, at };
}

export function tellConfiguration(
  model: TerminalModel,
  fields: EventFields<'configuration'>,
  place: Place,
): TerminalModel {
  const { what, version, reason } = fields;
  const of = { name: word(fields.name), version, sha256: fields.sha256.slice(0, 64) };
  if (what === 'rolled_back' || what === 'refused') {
    if (!isNewer(place, model.refusedConfiguration?.at ?? NOWHERE)) return model;
    const refused = { ...of, reason: reason.slice(0, REASON_CHARS_MAX), at: place };
    return { ...model, refusedConfiguration: refused };
  }
  // Of a trial its inventory tells, which comes again when it is over.
  if (what === 'trial') return model;
  const next = isNewer(place, model.configuration?.at ?? NOWHERE)
    ? {
        ...model,
        configuration: {
          ...{ state: what, ...of, at: place },
          overridden: model.configuration?.overridden ?? false,
        },
      }
    : model;
  const known = next.refusedConfiguration;
  const isTakenAfterAll = known?.sha256 === of.sha256 && isNewer(place, known.at);
  return isTakenAfterAll ? { ...next, refusedConfiguration: undefined } : next;
}
