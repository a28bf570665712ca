// For servers in tests in which nobody signs in, enrols or asks for logs.

import type { HttpOptions } from '../../broker/http/server.ts';

export const unused = () => {
  throw new Error('not asked here');
};

export const nobodySignsIn: Pick<HttpOptions, 'operators' | 'metricsRole' | 'identities'> = {
  metricsRole: 'anyone',
  identities: {
    ...{ enrol: unused, renew: unused, viewOf: unused, makeToken: unused, makeTokens: unused },
    ...{ replace: unused, suspend: unused, resume: unused, revoke: unused, retire: unused },
    ...{ move: unused, acceptMachine: unused },
  },
  operators: {
    authenticate: () => undefined,
    onSessionEnd: () => () => {},
    endsMs: () => undefined,
    list: () => [],
    roleOf: () => undefined,
    onChange: () => () => {},
    ...{ signIn: unused, signOut: unused, add: unused, change: unused, newToken: unused },
  },
};

export const nobodyAsksForLogs: HttpOptions['logs'] = {
  ...{ create: unused, createForAll: unused, diagnose: unused, tail: unused, cancel: unused },
  ...{ get: unused, list: unused, read: unused },
};
