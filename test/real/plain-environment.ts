// The environment of a program that is to see nothing of the machine's own: where programs are, and what Node has
// compiled of ours (vitest.config.ts), so that a start from source stays cheap. Nothing else of it is inherited.

const compiled = process.env['NODE_COMPILE_CACHE'];

export const plainEnvironment: Readonly<Record<string, string>> = {
  PATH: process.env['PATH'] ?? '',
  ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled }),
};
