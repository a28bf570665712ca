// The library and the polyfill that it wants, in this order, as one module of ours: x509.ts imports it when the first
// certificate is written. Not `import('@peculiar/x509')` there: a bundle that is split gives a CommonJS library's names
// only to those who import it statically.

import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

export { x509 };
