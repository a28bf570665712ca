// One trace for each incident, made of what the watchdog's machine is told and asks for: from the last sign of
// health over suspicion, evidence, decision, kill and start until it is ready again. Pure: a track of one
// component and one step of its machine give the next track and the spans that ended by it, with monotonic times.
// Spans are made after the fact, as data, and not by a tracer around the code: what is traced here is not a call
// but a story that several processes, an agent's death or a reboot may interrupt.

import type { NewEvent } from '../../protocol/events.ts';
import type { Attributes } from '../../protocol/traces.ts';
import type { ComponentEffect, ComponentEvent } from '../watchdog/model.ts';
import {
  add,
  begin,
  close,
  end,
  failed,
  MOMENTS_MAX,
  NO_TRACK,
  note,
  rootOf,
  type Stepped,
  type Traced,
  type Track,
  type TraceTurn as Turn,
  unfold,
} from './spans-track.ts';

type Told<K extends NewEvent['kind']> = Extract<NewEvent, { kind: K }>['fields'];

const proofsOf = (evidence: unknown): Attributes => {
  const proofs = (evidence as { proofs?: unknown } | undefined)?.proofs;
  return Array.isArray(proofs) && proofs.length > 0 ? { 'tillwatch.proofs': proofs.join(' ') } : {};
};

function opened(turn: Turn, fields: Told<'incident_opened'>): void {
  const { draft, model, now, newId, component } = turn;
  const { incident, cause, reason, version, evidence } = fields;
  if (draft.open !== undefined) close(turn, {}, failed(`it went on as incident ${incident}`));
  const lostAt = model.incident?.lostAt ?? now;
  const attributes = {
    'tillwatch.incident': incident,
    'tillwatch.component': component,
    'tillwatch.component.version': version,
    'tillwatch.cause': cause,
    'tillwatch.reason': reason,
  };
  const startAt = Math.min(lostAt, draft.suspectAt ?? lostAt, now);
  draft.open = { incident, rootId: newId(), startAt, attributes, moments: [], spans: 0 };
  const confirmedAt = model.incident?.confirmedAt ?? now;
  unfold(turn, { lostAt, confirmedAt }, { ...proofsOf(evidence), 'tillwatch.reason': reason });
}

/** What would have been done is a whole trace of its own, unless it is part of an incident. */
function suppressed(turn: Turn, fields: Told<'recovery_suppressed'>): void {
  const { draft, before, now, newId, component } = turn;
  const { incident, rung, cause, reason, by, version, evidence } = fields;
  const decided = { 'tillwatch.rung': rung, 'tillwatch.suppressed_by': by, ...proofsOf(evidence) };
  if (draft.open !== undefined) {
    const spanId = newId();
    add(turn, { spanId, name: 'decision', startAt: now, endAt: now, attributes: decided });
    return;
  }
  const { suspectAt, running } = draft;
  const lostAt = before.condemned?.lostAt ?? suspectAt ?? now;
  const attributes = {
    'tillwatch.incident': incident,
    'tillwatch.component': component,
    'tillwatch.component.version': version,
    'tillwatch.cause': cause,
    'tillwatch.reason': reason,
    'tillwatch.suppressed_by': by,
  };
  const startAt = Math.min(lostAt, suspectAt ?? lostAt, now);
  draft.open = { incident, rootId: newId(), startAt, attributes, moments: [], spans: 0 };
  unfold(turn, { lostAt, confirmedAt: before.condemned?.at ?? now }, decided);
  close(turn, {}, undefined);
  // It stays suspect: what is found next is the next one's.
  Object.assign(draft, { suspectAt: now, running });
}

function stateTold(turn: Turn, { from, to, reason }: Told<'component_state'>): void {
  const { draft } = turn;
  if (to === 'suspect' && from !== 'suspect') draft.suspectAt = turn.now;
  if (to === 'ready') {
    end(turn, 'ready');
    if (draft.open === undefined) Object.assign(draft, NO_TRACK);
    else if (draft.open.inherited) close(turn, {}, { code: 'ok' });
  }
  // A reboot stops everybody in the middle of the incident that it is for.
  const reboots = draft.open?.moments.some(({ name }) => name === 'reboot') === true;
  if (to === 'stopped' && !reboots) close(turn, {}, failed(reason));
  if (to === 'backoff') begin(turn, 'backoff', { 'tillwatch.reason': reason });
}

function quarantined(turn: Turn, { reason, attempts }: Told<'incident_quarantined'>): void {
  const { draft, now } = turn;
  const { open } = draft;
  if (open === undefined || open.quarantinedAt !== undefined) return;
  const attributes = { ...open.attributes, 'tillwatch.attempts': attempts };
  turn.spans.push(rootOf(open, { attributes, endAt: now }, failed(`quarantined: ${reason}`)));
  draft.open = { ...open, quarantinedAt: now };
}

function told(turn: Turn, event: NewEvent): void {
  switch (event.kind) {
    case 'component_state':
      stateTold(turn, event.fields);
      return;
    case 'incident_opened':
      opened(turn, event.fields);
      return;
    case 'incident_recovered':
      close(turn, { 'tillwatch.attempts': event.fields.attempts }, { code: 'ok' });
      return;
    case 'incident_quarantined':
      quarantined(turn, event.fields);
      return;
    case 'recovery_suppressed':
      suppressed(turn, event.fields);
      return;
    case 'recovery':
      note(turn, 'rung', {
        'tillwatch.rung': event.fields.rung,
        'tillwatch.reason': event.fields.reason,
      });
      return;
    default:
  }
}

/** What ends by what the machine is told. */
function heard(turn: Turn, event: ComponentEvent): void {
  switch (event.kind) {
    case 'evidence': {
      const { phase = event.phase } = turn.draft.running.evidence?.attributes ?? {};
      // An answer to the first question may come after the second was asked.
      if (event.phase === undefined || event.phase === phase) end(turn, 'evidence');
      return;
    }
    case 'spawned':
      end(turn, 'start', { 'process.pid': event.pid, 'tillwatch.instance': event.instance });
      begin(turn, 'ready');
      return;
    case 'spawn_failed':
      end(turn, 'start', {}, failed(event.reason));
      return;
    case 'exited': {
      const { code, signal } = event;
      const how = signal === undefined ? { 'process.exit.code': code ?? -1 } : { signal };
      end(turn, 'evidence');
      end(turn, 'kill', how);
      end(turn, 'ready', how, failed('it ended before it was ready'));
      return;
    }
    case 'healed':
      end(turn, 'heal', {}, event.ok ? { code: 'ok' } : failed(event.reason));
      return;
    case 'launch':
      end(turn, 'rung', {}, { code: 'ok' });
      return;
    case 'refused':
      end(turn, 'rung', {}, failed(event.reason));
      return;
    default:
  }
}

function asked(turn: Turn, effect: ComponentEffect): void {
  switch (effect.kind) {
    case 'report':
      told(turn, effect.event);
      return;
    case 'collect_evidence':
      end(turn, 'evidence');
      begin(turn, 'evidence', { phase: effect.phase });
      return;
    case 'terminate':
    case 'abort':
    case 'kill':
      begin(turn, 'kill', { 'tillwatch.how': effect.kind, 'tillwatch.reason': effect.reason });
      return;
    case 'spawn':
      end(turn, 'backoff');
      begin(turn, 'start', { 'tillwatch.reason': effect.reason });
      return;
    case 'heal':
      begin(turn, 'heal');
      return;
    case 'escalate':
      begin(turn, 'rung', {
        'tillwatch.rung': effect.rung,
        'tillwatch.reason': effect.reason,
      });
      return;
    default:
  }
}

/** Total. @param newId gives 16 characters of hex, never the same twice. */
export function traceStep(track: Track, stepped: Stepped, newId: () => string): Traced {
  const turn: Turn = { ...stepped, draft: { ...track }, spans: [], newId, dropped: 0 };
  heard(turn, stepped.event);
  for (const effect of stepped.effects) asked(turn, effect);
  const { spans, dropped, draft } = turn;
  return { track: draft, spans, dropped };
}

/** The machine is about to reboot for this incident: the next boot's agent goes on with it. */
export const traceReboot = (track: Track, reason: string, now: number): Track => {
  if (track.open === undefined) return track;
  const moment = { at: now, name: 'reboot', attributes: { 'tillwatch.reason': reason } };
  const moments = [...track.open.moments.slice(0, MOMENTS_MAX - 1), moment];
  return { ...track, open: { ...track.open, moments } };
};
