// Writes configuration/fleet.schema.json: node configuration/json-schema-main.ts. A test says when it has to be run again.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fleetJsonSchema } from './json-schema.ts';

const path = join(import.meta.dirname, 'fleet.schema.json');
writeFileSync(path, `${JSON.stringify(fleetJsonSchema(), undefined, 2)}\n`);
