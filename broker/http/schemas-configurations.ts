// What the routes of the fleet's configuration may be asked (configuration-routes.ts) and answer with, in the words of
// schema-parts.ts and shape-parts.ts.

import { CONFIGURATION_BYTES_MAX, CONFIGURATION_READY_MS_MAX } from '../../protocol/limits.ts';
import { TARGET_STATES } from '../bulk/model.ts';
import { VERSION_STATES } from '../configurations/model.ts';
import { act, body, expiresMs, json, name, operator, read, reason } from './schema-parts.ts';
import { selector } from './schemas-bulk.ts';
import { count, flag, list, object, oneOf, text, timeMs } from './shape-parts.ts';

const documentName = {
  type: 'string',
  pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
  description: 'name of a configuration',
} as const;
const number = { type: 'string', pattern: '^[1-9][0-9]{0,8}$' } as const;
const ofName = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: { name: documentName },
} as const;
const ofVersion = {
  type: 'object',
  required: ['name', 'version'],
  additionalProperties: false,
  properties: { name: documentName, version: number },
} as const;

const tags = ['fleet'] as const;
/** Like `act`, of a configuration. */
function ofDocument(
  summary: string,
  shape: 'ConfigurationPlan' | 'ConfigurationVersion' | 'ConfigurationRemoved',
  status: 200 | 201 | 202,
) {
  const { params: _, ...parts } = act({ tags, summary }, json(shape, 'How it stands.'));
  const { 202: done, ...refusals } = parts.response;
  return { ...parts, params: ofName, response: { [status]: done, ...refusals } };
}
const asked = (
  summary: string,
  shape: 'Configuration' | 'ConfigurationText' | 'ConfigurationVersions',
) => ({
  ...read({ tags, summary }, json(shape, 'As it is now.'), 404),
  params: shape === 'ConfigurationText' ? ofVersion : ofName,
});

export const configurationSchemas = {
  list: read(
    { tags, summary: 'Configurations of the fleet, and how far they are' },
    json('Configurations', 'By name.'),
  ),
  one: asked('A configuration, and how many run it', 'Configuration'),
  versions: asked('The versions of a configuration', 'ConfigurationVersions'),
  text: asked('A version of a configuration, with its text', 'ConfigurationText'),
  plan: {
    ...ofDocument(
      'Check a new version, show the difference, freeze the list',
      'ConfigurationPlan',
      201,
    ),
    body: body(
      {
        text: { type: 'string', minLength: 1, maxLength: CONFIGURATION_BYTES_MAX },
        selector: { ...selector, description: 'one of them; as the last version unless given' },
        readyMs: {
          ...{ type: 'integer', minimum: 5_000, maximum: CONFIGURATION_READY_MS_MAX },
          description: 'so long a till may take until everything is ready under it',
        },
        lastsMs: { ...expiresMs, description: 'so long terminals that go away are waited for' },
        ...{ reason, operator },
      },
      'text',
    ),
  },
  rollback: {
    ...ofDocument('Plan an older text anew', 'ConfigurationPlan', 201),
    body: body({
      to: { type: 'integer', minimum: 1, description: 'version; the last good one unless given' },
      ...{ reason, operator },
    }),
  },
  start: {
    ...ofDocument('Start what was planned', 'ConfigurationVersion', 202),
    params: ofVersion,
    body: body(
      {
        count: { type: 'integer', minimum: 0, description: 'terminals in the list, as shown' },
        confirm: { type: 'string', maxLength: 100, description: 'as the plan says it, if it does' },
        ...{ reason, operator },
      },
      'count',
    ),
  },
  remove: {
    ...ofDocument(
      'Forget a configuration: nobody should run it any more',
      'ConfigurationRemoved',
      202,
    ),
    body: body({ reason, operator, version: { type: 'integer', description: 'latest, as shown' } }),
  },
} as const;

const version = {
  name,
  ...{ version: count, sha256: text, bytes: count },
  selector: { type: 'object', additionalProperties: true },
  scope: { type: 'string', description: 'the selector in words' },
  ...{ by: text, reason: text, createdMs: timeMs, startedMs: timeMs, endedMs: timeMs },
  ...{ state: oneOf(VERSION_STATES), why: text },
  paused: { ...flag, description: 'its bulk action stands still and can be gone on with' },
  bulk: { type: 'string', description: 'id of the bulk action that carries it out' },
  base: { ...count, description: 'what was released when it was planned; 0: nothing' },
  restores: { ...count, description: 'the version whose text it is again' },
  readyMs: count,
  counts: object(Object.fromEntries(TARGET_STATES.map((state) => [state, count]))),
};
const OPTIONAL = ['startedMs', 'endedMs', 'bulk', 'restores', 'readyMs', 'counts'];
const one = { $ref: 'ConfigurationVersion#' };

export const configurationShapes = {
  ConfigurationVersion: object(version, ...OPTIONAL),
  ConfigurationText: object({ ...version, text }, ...OPTIONAL),
  ConfigurationVersions: object({ versions: list(one) }),
  Configuration: object(
    {
      ...{ name, scope: text, released: one, rolling: one, latest: one },
      counts: object({
        ...{ meant: count, running: count, behind: count, ahead: count },
        ...{ refused: count, never: count },
      }),
      held: { type: 'string', description: 'why the released version is not sent by itself' },
    },
    ...['released', 'rolling', 'held'],
  ),
  Configurations: object({ configurations: list({ $ref: 'Configuration#' }) }),
  ConfigurationPlan: object(
    {
      version: one,
      difference: { type: 'string', description: 'unified' },
      against: { type: ['integer', 'null'], description: 'the version that it is against' },
      count: { ...count, description: 'terminals in its list, which starting it demands' },
      ...{ stores: count, firstWave: count },
      confirm: { type: 'string', description: 'what has to be written to start it' },
      leftOut: object({ count, first: list(object({ terminal: text, reason: text })) }),
    },
    'confirm',
  ),
  ConfigurationRemoved: object({
    ...{ name, terminals: { ...count, description: 'that ran it' } },
    instead: {
      ...list(object({ name, terminals: count })),
      description: 'which other ones they get by themselves now',
    },
  }),
} as const;
