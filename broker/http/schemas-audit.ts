// Schemas of the audit routes.

import { json, limit, named, plain, query, read, rowId, time } from './schema-parts.ts';

const tags = ['audit'] as const;

export const auditSchemas = {
  page: {
    ...read(
      {
        tags,
        summary: 'The audit log',
        description: 'With filters an answer may be empty and still say where to go on.',
      },
      json('Audit', 'The newest first.'),
    ),
    querystring: query({
      operator: named('who'),
      action: named('what, or its first words: command, command.restart.create'),
      subject: named('to what: a terminal, an operator, a token'),
      outcome: named('what became of it, or its first word: refused'),
      since: time('not older'),
      until: time('not newer'),
      cursor: { ...rowId, description: 'next of the answer before' },
      limit,
    }),
  },
  head: read(
    {
      tags,
      summary: 'The signed head of the audit log',
      description: 'Kept elsewhere, it proves later that everything up to it is as it was.',
    },
    json('AuditHead', 'Of the newest entry.'),
    404,
  ),
  export: read(
    { tags, summary: 'The whole audit log, with what proves it' },
    plain('A line of JSON each: begin, signed heads, entries, end.', 'application/x-ndjson'),
  ),
} as const;
