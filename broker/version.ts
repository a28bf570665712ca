// The broker's version is the package's: one number for everything that is released together.

import manifest from '../package.json' with { type: 'json' };

export const BROKER_VERSION: string = manifest.version;
