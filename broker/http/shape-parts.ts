// The parts that the schemas of answers are put together from. Objects stay open, so that a field somebody forgot is
// still sent; a test closes them and finds it.

export type Schema = Readonly<Record<string, unknown>>;

export const text = { type: 'string' } as const;
export const number = { type: 'number' } as const;
export const count = { type: 'integer', minimum: 0 } as const;
export const flag = { type: 'boolean' } as const;
export const oneOf = (values: readonly string[]) => ({ type: 'string', enum: [...values] });
export const list = (items: Schema) => ({ type: 'array', items });
export const timeMs = { type: 'number', description: 'milliseconds since 1970' } as const;
export const rowId = {
  type: 'integer',
  minimum: 0,
  description: 'number of its row; never used twice',
} as const;

/** All fields are needed unless they are named as optional. */
export function object(properties: Record<string, Schema>, ...optional: readonly string[]) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', additionalProperties: true, required, properties };
}
