// Which time zone a till says that it stands in.

import { describe, expect, it } from 'vitest';
import { timeZoneOf } from '../../agent/time-zone.ts';

type Till = { TZ?: string; timezone?: string; localtime?: string };
const zoneOf = ({ TZ, timezone, localtime }: Till) =>
  timeZoneOf(TZ === undefined ? {} : { TZ }, {
    read: (path) => (path === '/etc/timezone' ? timezone : undefined),
    readLink: (path) => (path === '/etc/localtime' ? localtime : undefined),
  });

describe('the time zone of a till', () => {
  it.each<[string, Till, string | undefined]>([
    ['TZ', { TZ: 'Europe/Berlin', timezone: 'Etc/UTC\n' }, 'Europe/Berlin'],
    [
      'TZ with a colon',
      { TZ: ':America/Argentina/Buenos_Aires' },
      'America/Argentina/Buenos_Aires',
    ],
    ['TZ as a path', { TZ: ':/usr/share/zoneinfo/Asia/Tokyo' }, 'Asia/Tokyo'],
    ['/etc/timezone', { timezone: 'Europe/Vienna\n' }, 'Europe/Vienna'],
    ['/etc/localtime', { localtime: '../usr/share/zoneinfo/Europe/Zurich' }, 'Europe/Zurich'],
    [
      '/etc/localtime where /etc/timezone is none',
      { timezone: '# none\n', localtime: '/usr/share/zoneinfo/Etc/GMT+1' },
      'Etc/GMT+1',
    ],
  ])('is what %s says', (_, till, zone) => {
    expect(zoneOf(till)).toBe(zone);
  });

  it.each<[string, Till]>([
    ['nothing says it', {}],
    ['TZ is a rule without a name', { TZ: 'CET-1CEST,M3.5.0,M10.5.0/3', timezone: 'Etc/UTC' }],
    ['the link is a copy of a file', { localtime: '/etc/my-zone' }],
    ['it is no name', { timezone: '<script>' }],
    ['it leads out of the database', { localtime: '/usr/share/zoneinfo/../../../etc/passwd' }],
  ])('is not guessed where %s', (_, till) => {
    expect(zoneOf(till)).toBeUndefined();
  });
});
