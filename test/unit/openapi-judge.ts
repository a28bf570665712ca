// The OpenAPI document as a judge: whether what was really answered is what it says.

import { createRequire } from 'node:module';
import { expect } from 'vitest';

export type Json = Record<string, unknown>;
export type Operation = {
  summary: string;
  tags: string[];
  security: Json[];
  parameters?: { name: string; in: string; description?: string }[];
  responses: Record<string, { description: string; content: Record<string, { schema: Json }> }>;
};
export type Document = {
  openapi: string;
  info: { version: string };
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json>; securitySchemes: Json };
};
type Check = ((value: unknown) => boolean) & { errors?: unknown };

// The validator that fastify itself brings: JSON Schema 2020-12, which OpenAPI 3.1 is written in.
const fromFastify = createRequire(createRequire(import.meta.url).resolve('fastify'));
const { Ajv2020 } = fromFastify('ajv/dist/2020') as {
  Ajv2020: new (
    options: object,
  ) => { addSchema: (schema: unknown, name: string) => void; getSchema: (at: string) => Check };
};

export function walk(value: unknown, visit: (object: Json) => void): void {
  if (typeof value !== 'object' || value === null) return;
  visit(value as Json);
  for (const part of Object.values(value)) walk(part, visit);
}

/** Judges answers by the document, with every object closed: a field that is not described is an error. */
export function judgeBy(document: Document) {
  const closed = structuredClone(document);
  walk(closed, (schema) => {
    if (schema['type'] === 'object' && 'properties' in schema)
      schema['additionalProperties'] = false;
  });
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema(closed, 'api');
  return (at: string, status: number, type: string, value: unknown) => {
    const [method = '', path = ''] = at.split(' ');
    const steps = [
      'paths',
      path,
      method.toLowerCase(),
      'responses',
      String(status),
      'content',
      type,
    ];
    const pointer = [...steps, 'schema'].map((step) =>
      encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')),
    );
    const check = ajv.getSchema(`api#/${pointer.join('/')}`);
    if (check === undefined) throw new Error(`${at} ${status} ${type} is not described`);
    const right = check(value);
    expect(right ? [] : check.errors, `${at} ${status}`).toEqual([]);
  };
}
