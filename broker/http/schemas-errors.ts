// What a question about kinds of errors may say (error-routes.ts).

import { json, limit, named, query, read, time, where } from './schema-parts.ts';

export const errorSchemas = {
  list: {
    ...read(
      {
        tags: ['events'],
        summary: 'Kinds of errors: new ones first, then those that grow, then the most frequent',
        description:
          'Counted by the hour: the first hour of the window counts as a whole. What components print ' +
          'stays on the terminals; POST /terminals/{id}/logs asks for the lines.',
      },
      json('Errors', 'Kinds of warnings and errors with their counts in the window.'),
    ),
    querystring: query({
      sinceMs: time('from then on; a day before untilMs unless given'),
      untilMs: time('up to then; now unless given'),
      version: named('of the component that printed it'),
      ...where,
      component: named('name of a component'),
      level: { type: 'string', enum: ['error', 'warn'] },
      limit,
    }),
  },
} as const;
