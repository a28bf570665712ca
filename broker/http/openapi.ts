// The description of the API, OpenAPI 3.1, made from the schemas that requests are checked and answers
// are written by: what is described is what is done. Served without the token, because it tells nothing
// of a fleet and a tool that reads it has none yet.

import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { BROKER_VERSION } from '../version.ts';
import { schemas, TAGS } from './schemas.ts';
import { shapes } from './shapes.ts';

const DESCRIPTION = `Reads what a fleet of point-of-sale terminals does, and acts on it.
Fields are only ever added within version 1 of this API. Every refusal is a problem document (RFC 9457)
whose \`detail\` is a sentence for the person who reads it.`;

/** Call it before any route is added: it watches them being added. */
export function addDescription(app: FastifyInstance): void {
  for (const [name, shape] of Object.entries(shapes)) app.addSchema({ $id: name, ...shape });
  app.register(swagger, {
    mode: 'dynamic',
    stripBasePath: true,
    convertConstToEnum: false,
    // Components under their own names, not def-0, def-1 ...
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) => `${json.$id ?? `def-${i}`}`,
    },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tillwatch broker',
        description: DESCRIPTION,
        version: BROKER_VERSION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description:
              'what POST /api/v1/session answers, or the token of an operator; with plainText also ' +
              'the text in the file api-token of the data folder',
          },
        },
      },
    },
  });
}

export function addDescriptionRoute(app: FastifyInstance): void {
  app.get('/openapi.json', { schema: schemas.openapi, config: { role: 'anyone' } }, () =>
    app.swagger(),
  );
}
