// Compiles what checks a request and what writes an answer when its route is first asked, not when the broker starts:
// compiling all of them takes a third of a second of processor, and a broker that starts again has a fleet at its
// door. A schema that cannot be compiled answers 500 instead of keeping the broker from starting; the test that asks
// every route finds it.

import ajv from '@fastify/ajv-compiler';
import stringify from '@fastify/fast-json-stringify-compiler';
import type { FastifyServerOptions } from 'fastify';

type Factory = NonNullable<
  NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']
>;
type Validate = ((data: unknown) => unknown) & { errors?: unknown };

/** Each server has its own: what a schema refers to is that server's. */
export const whenFirstAsked = (): Factory => {
  const [validators, serializers] = [ajv(), stringify()];
  return {
    buildValidator: ((schemas: never, options: never) =>
      ({ schema }: { schema: never }) => {
        let compiled: Validate | undefined;
        const validate: Validate = (data) => {
          compiled ??= validators(schemas, options)({ schema } as never) as unknown as Validate;
          const answer = compiled(data);
          validate.errors = compiled.errors;
          return answer;
        };
        return validate;
      }) as never,
    buildSerializer: ((schemas: unknown, options: never) => (route: never) => {
      let compiled: ((data: unknown) => string) | undefined;
      return (data: unknown) => {
        compiled ??= serializers(schemas, options)(route);
        return compiled(data);
      };
    }) as never,
  };
};
