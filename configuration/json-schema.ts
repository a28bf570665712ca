// The JSON Schema of a document of the fleet, for editors: made from the very schema that reads it, so that what an editor
// completes is what a till takes, with a sentence where a name does not say enough. Relations between values (order,
// names, deadlines) are beyond it; `tillwatch config check` tells those. Made while developing, never on a till.

import { toJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { fleetEntries } from './fleet.ts';

type Json = { [key: string]: unknown };

/** By the way to it; `*` is an entry of a list. */
const SENTENCES: Readonly<Record<string, string>> = {
  mode: 'act, or observe: everything is decided, explained and counted, and nothing is killed',
  link: 'how soon, and how seldom, the broker is tried again while it is away',
  sampling: 'how often samples are taken and sent, and how many series a terminal may have',
  output: 'of each component, on disk, before it is taken into the journal',
  journal: 'logs of each component on the till: packed, without card data',
  ladder: "the rungs of the recovery ladder that are the whole till's",
  'ladder.reboot': 'only with a command: it restarts the machine',
  evidence: 'the ring of what was seen before each action',
  redaction: 'what else is taken out of everything that is kept or sent',
  'logs.uplinkShare': "of the store's line, for logs that somebody asks for",
  disk: 'below lowBytes things are given up, floorBytes are never touched',
  drills: 'only off: what may be broken on purpose is allowed on the till alone',
  components: 'what is watched: replaces all that the till’s own file names',
  'components.*.name': 'small letters, digits and dashes',
  'components.*.run': 'external: something else starts it; see external',
  'components.*.command': 'the program and its arguments; no shell',
  'components.*.external': 'how a component is found, started and stopped that something else runs',
  'components.*.cwd': "relative to the folder of the till's own file",
  'components.*.env': 'values that look like numbers stand in quotes',
  'components.*.version': 'told with everything that it does',
  'components.*.after': 'started after these are ready',
  'components.*.channel': 'whether it beats: false for a program that knows nothing of us',
  'components.*.witness': 'a thread that tells its stack when it hangs; Node only, 18 MB',
  'components.*.mode': 'of this one; else that of the till',
  'components.*.restart': 'permanent: always; transient: unless it ended well; temporary: never',
  'components.*.strategy': 'rest_for_one: what comes after it is restarted with it',
  'components.*.hang': 'how long without a sign, stopped or spinning, is a hang',
  'components.*.start': 'how long until it must be ready',
  'components.*.stop': 'how long it may take to end; a tender in flight gets up to 3 minutes',
  'components.*.exit': 'what its exit codes mean',
  'components.*.age': 'restarted at idle when it is older; jitterMs spreads a fleet',
  'components.*.limits': 'over at k of the last n looks: restarted at idle',
  'components.*.progress': 'work waits and none completes, told by its own metrics',
  'components.*.tenderMsMax': 'a hang is not killed so long while money moves',
  'components.*.backoff': 'between one failure and the next start',
  'components.*.budget': 'how often it is restarted before the next rung',
  'components.*.heal': 'a program that may put it right without a restart',
  'components.*.reset': 'a program that puts it back deeply, before a restart',
  'components.*.holds': 'what must be free again before it is started',
  'components.*.probes': 'questions that the agent asks: http, tcp, exec, log or file',
  'components.*.metricsUrl': 'its own /metrics, on this machine',
  'components.*.metrics': 'what of its own metrics is sent, and under which name',
  'components.*.counters': 'lines of its output that are counted; patterns of RE2',
};
export const DESCRIBED = Object.keys(SENTENCES);

const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `{ not: {} }` is how it says that nothing else may be there; editors know `false`. */
function simpler(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(simpler);
  if (!isJson(value)) return value;
  const entries = Object.entries(value)
    .filter(([key, of]) => !(key === 'required' && Array.isArray(of) && of.length === 0))
    .map(([key, of]) => {
      const isNothing = key === 'additionalProperties' && JSON.stringify(of) === '{"not":{}}';
      return [key, isNothing ? false : simpler(of)] as const;
    });
  return Object.fromEntries(entries);
}

/** @returns what stands at a way of SENTENCES. */
export function partAt(schema: unknown, way: string): Json | undefined {
  let at: unknown = schema;
  for (const step of way.split('.')) {
    if (!isJson(at)) return undefined;
    at = step === '*' ? at['items'] : isJson(at['properties']) ? at['properties'][step] : undefined;
  }
  return isJson(at) ? at : undefined;
}

/** What the redactor's own reader takes; it reads more strictly than a schema says. */
const RULES = {
  type: 'array',
  items: {
    type: 'object',
    required: ['name', 'kind'],
    properties: { name: { type: 'string' }, kind: { enum: ['pattern', 'key'] } },
  },
};

export function fleetJsonSchema(): Json {
  // Checks that only code can make are left to it.
  const made = toJsonSchema(v.object(fleetEntries), { errorMode: 'ignore', typeMode: 'input' });
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Tillwatch: a configuration of the fleet',
    description: 'Rolled out with tillwatch config apply; checked with tillwatch config check.',
    ...(simpler(made) as Json),
    additionalProperties: false,
    minProperties: 1,
  };
  for (const [way, description] of Object.entries(SENTENCES)) {
    const part = partAt(schema, way);
    if (part !== undefined) part['description'] = description;
  }
  const rules = partAt(schema, 'redaction.rules');
  if (rules !== undefined) Object.assign(rules, RULES);
  return schema;
}
