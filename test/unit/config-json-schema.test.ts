// The JSON Schema for editors: current, and of one mind with the reader about documents.

import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readDocument } from '../../configuration/fleet.ts';
import { DESCRIBED, fleetJsonSchema, partAt } from '../../configuration/json-schema.ts';

const PATH = new URL('../../configuration/fleet.schema.json', import.meta.url);
const judge = new Ajv({ strict: false, allErrors: true }).compile(fleetJsonSchema());

const GOOD = [
  'mode: observe\n',
  'drills: false\nlink: { reconnectMsMax: 60000 }\n',
  `components:
  - name: sale
    command: [node, sale.js]
    env: { POS_PORT: "8080" }
    hang: { blockedMs: 3000 }
    probes: [{ kind: http, url: "http://127.0.0.1:8080/" }, { kind: file, path: a, ageMsMax: 5000 }]
    counters: [{ name: declines_total, pattern: declined }]
  - { name: sync, command: [sync], after: [sale], restart: transient }
redaction: { rules: [{ name: badge, kind: pattern, pattern: "BADGE-[0-9]{6}" }] }
`,
];
const BAD = [
  'terminal: lane-1\n',
  'drills: true\n',
  'colour: red\n',
  'mode: loud\n',
  'components: []\n',
  'components: [{ name: Sale, command: [x] }]\n',
  'components: [{ name: sale, command: [x], probes: [{ kind: ping }] }]\n',
  'components: [{ name: sale, command: [x], taste: sweet }]\n',
  'sampling: { everyMs: 1 }\n',
  '{}\n',
];

describe('the schema for editors', () => {
  it('is current: node configuration/json-schema-main.ts', () => {
    expect(JSON.parse(readFileSync(PATH, 'utf8'))).toEqual(fleetJsonSchema());
  });

  it.each(GOOD)('takes what the reader takes: %j', (text) => {
    expect(readDocument(text).ok).toBe(true);
    expect(judge(parse(text)), JSON.stringify(judge.errors)).toBe(true);
  });

  it.each(BAD)('refuses what the reader refuses: %j', (text) => {
    expect(readDocument(text).ok).toBe(false);
    expect(judge(parse(text))).toBe(false);
  });

  it('describes keys that there are', () => {
    const schema = fleetJsonSchema();
    expect(DESCRIBED.filter((way) => partAt(schema, way)?.['description'] === undefined)).toEqual(
      [],
    );
    expect(partAt(schema, 'mode')).toMatchObject({ default: 'act' });
  });
});
