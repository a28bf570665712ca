// For servers in tests in which nobody signs in.

import type { HttpOptions } from '../../broker/http/server.ts';

const unused = () => {
  throw new Error('not asked here');
};

export const nobodySignsIn: Pick<HttpOptions, 'operators' | 'metricsRole'> = {
  metricsRole: 'anyone',
  operators: {
    authenticate: () => undefined,
    onSessionEnd: () => () => {},
    endsMs: () => undefined,
    list: () => [],
    ...{ signIn: unused, signOut: unused, add: unused, change: unused, newToken: unused },
  },
};
