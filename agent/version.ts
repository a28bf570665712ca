// The version of this program, as its package says; one place, so that log, events and metrics agree.

import manifest from '../package.json' with { type: 'json' };

export const AGENT_VERSION: string = manifest.version;
