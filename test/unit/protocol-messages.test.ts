import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Command,
  type CommandResult,
  decodeResultBody,
  encodeResultBody,
  parsePublicKey,
  publicKeyText,
  signCommand,
  verifyCommand,
} from '../../protocol/commands.ts';
import {
  decodeEventBody,
  encodeEventBody,
  knownFields,
  type TerminalEvent,
} from '../../protocol/events.ts';
import { COMMAND_BYTES_MAX } from '../../protocol/limits.ts';
import { catalogue, METRIC_NAMES } from '../../protocol/metrics.ts';
import { decodeRaw, encodeRaw } from '../../protocol/wire.ts';
import { newerResults } from '../wire/future.ts';

const pair = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const trusted = parsePublicKey(publicKeyText(pair.publicKey));
if (!trusted.ok) throw new Error(trusted.reason);
const keys = new Map([[trusted.value.keyId, trusted.value.key]]);

const command: Command = {
  id: randomUUID(),
  terminal: 'lane-1',
  kind: 'restart',
  arguments: { component: 'sale' },
  issuedMs: 1_763_800_000_000,
  expiresMs: 1_763_800_300_000,
  operator: 'operator',
  reason: 'stuck on a receipt',
  traceparent: '',
};

describe('a signed command', () => {
  it('is what was signed', () => {
    expect(verifyCommand(signCommand(command, pair.privateKey), keys)).toEqual({
      ok: true,
      value: command,
    });
  });

  it('signed by a stranger, or by nobody, is refused', () => {
    expect(verifyCommand(signCommand(command, stranger.privateKey), keys)).toMatchObject({
      ok: false,
    });
    expect(verifyCommand(new Uint8Array(0), keys)).toMatchObject({ ok: false });
    expect(verifyCommand(new Uint8Array(COMMAND_BYTES_MAX + 1), keys)).toMatchObject({ ok: false });
  });

  it('signed by a stranger under a trusted name is refused', () => {
    const raw = decodeRaw(
      'SignedCommand',
      signCommand(command, stranger.privateKey),
      COMMAND_BYTES_MAX,
    );
    if (!raw.ok) throw new Error(raw.reason);
    const forged = encodeRaw('SignedCommand', { ...raw.value, keyId: trusted.value.keyId });
    expect(verifyCommand(forged, keys)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('signature'),
    });
  });

  it('with one flipped byte never turns into another command', () => {
    const good = signCommand(command, pair.privateKey);
    for (let i = 0; i < good.length; i += 1) {
      const bad = Uint8Array.from(good);
      bad[i] = (bad[i] ?? 0) ^ 1;
      const verified = verifyCommand(bad, keys);
      if (verified.ok) expect(verified.value).toEqual(command);
    }
  });

  it('of an unknown kind or with wrong arguments is refused although it is signed', () => {
    const signed = (fields: object) => {
      const body = encodeRaw('Command', {
        ...command,
        argumentsJson: '{"component":"sale"}',
        ...fields,
      });
      const signature = sign(null, body, pair.privateKey);
      return encodeRaw('SignedCommand', { command: body, keyId: trusted.value.keyId, signature });
    };
    expect(verifyCommand(signed({}), keys)).toMatchObject({ ok: true });
    const wrong = [
      { kind: 'format_disk' },
      { kind: '__proto__' },
      { argumentsJson: '{"component":"../sale"}' },
      { argumentsJson: '{"component":"sale","urgent":true}' },
      { argumentsJson: '{' },
      { id: 'x' },
      { terminal: 'Lane 1' },
    ];
    for (const fields of wrong)
      expect(verifyCommand(signed(fields), keys), JSON.stringify(fields)).toMatchObject({
        ok: false,
      });
  });
});

describe('a public key', () => {
  it('that is not 32 bytes of base64 is refused with a sentence', () => {
    for (const text of [
      '',
      'ed25519:',
      'ed25519:AAAA',
      'rsa:x',
      `${publicKeyText(pair.publicKey)} `,
    ]) {
      expect(parsePublicKey(text)).toMatchObject({
        ok: false,
        reason: expect.stringContaining('ed25519:'),
      });
    }
  });
});

describe('results', () => {
  const result: CommandResult = {
    commandId: command.id,
    state: 'failed',
    reason: 'no such component',
    timeMs: 5,
    detail: { a: 1 },
  };
  it('come back as they were', () => {
    expect(decodeResultBody(encodeResultBody([result]))).toEqual({ ok: true, value: [result] });
  });
  it('with an unknown state or no command are refused', () => {
    expect(
      decodeResultBody(encodeResultBody([{ ...result, state: 'may be?' as 'failed' }])).ok,
    ).toBe(false);
    expect(decodeResultBody(encodeResultBody([{ ...result, commandId: 'x' }])).ok).toBe(false);
  });
});

describe('events', () => {
  const event: TerminalEvent = {
    id: randomUUID(),
    timeMs: 1_763_800_000_000,
    kind: 'component_state',
    component: 'sale',
    fields: { from: 'ready', to: 'suspect', reason: 'no beat', version: '2.4.1' },
  };
  it('come back as they were', () => {
    expect(decodeEventBody(encodeEventBody([event]))).toEqual({ ok: true, value: [event] });
  });
  it('of a newer kind, or with more fields than we know, pass', () => {
    const newer = { ...event, kind: 'teleported', fields: { where: 'moon' } };
    const richer = { ...event, fields: { ...event.fields, mood: 'good' } };
    expect(decodeEventBody(encodeEventBody([newer, richer]))).toEqual({
      ok: true,
      value: [newer, richer],
    });
  });
  it('with a word that a list of ours lacks pass as they are, and take no other event with them', () => {
    const asleep = { ...event, fields: { ...event.fields, to: 'asleep', mood: 'good' } };
    const cause = { ...event, fields: { ...event.fields, cause: 'gremlins' } };
    expect(decodeEventBody(encodeEventBody([asleep, cause, event]))).toEqual({
      ok: true,
      value: [asleep, cause, event],
    });
  });
  it('say what can be known of them, without the words that nobody here knows', () => {
    const read = (more: object) => knownFields('component_state', { ...event.fields, ...more });
    expect(read({ cause: 'gremlins' })).toEqual(event.fields);
    expect(read({ to: 'asleep' })).toBeUndefined();
    expect(read({ version: 7 })).toBeUndefined();
    const components = [
      { name: 'sale', version: '2' },
      { name: 'scale', version: '1' },
    ];
    const head = { agent: '9', os: '', hostname: '' };
    const newer = {
      ...{ ...head, configuration: { state: 'borrowed', name: 'all' } },
      components: components.map((one) => ({ ...one, mode: 'learn' })),
    };
    expect(knownFields('inventory', newer)).toEqual({ ...head, components });
    expect(newer.components[0]?.mode).toBe('learn');
  });
  it('whose known fields are not what they are said to be are refused, naming the field', () => {
    const wrong = { ...event, fields: { ...event.fields, to: 7 } };
    expect(decodeEventBody(encodeEventBody([wrong]))).toMatchObject({
      ok: false,
      reason: expect.stringContaining('to'),
    });
  });
  it('without id, with a hostile kind or with broken JSON are refused', () => {
    const raw = (fields: object) =>
      encodeRaw('EventBody', {
        events: [
          { id: 'x', timeMs: 1, kind: 'gap', json: '{"epoch":"0","reason":"y"}', ...fields },
        ],
      });
    expect(decodeEventBody(raw({})).ok).toBe(true);
    for (const fields of [
      { id: '' },
      { kind: 'A b' },
      { kind: '' },
      { json: '{' },
      { json: '[]' },
    ]) {
      expect(decodeEventBody(raw(fields)).ok, JSON.stringify(fields)).toBe(false);
    }
  });
});

describe('results', () => {
  it('in a state that a newer agent has are left out, and the others count', () => {
    const id = randomUUID();
    expect(decodeResultBody(newerResults(id, randomUUID()))).toMatchObject({
      ok: true,
      value: [{ commandId: id, state: 'succeeded' }],
    });
  });
});

describe('the metric catalogue', () => {
  it('follows the naming rules: prefix, base units, _total for counters only', () => {
    for (const name of METRIC_NAMES) {
      const { type, help } = catalogue[name];
      expect(name).toMatch(/^(pos|tillwatch)_[a-z0-9_]+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name).not.toMatch(/_(ms|milliseconds|percent|kb|mb)(_|$)/);
      expect(help, name).toMatch(/^[A-Z0-9].*\.$/);
    }
  });
});
