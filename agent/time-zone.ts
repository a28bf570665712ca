// In which time zone the till stands, by the name that people and the centre know ("Europe/Berlin"): from TZ, from
// Debian's /etc/timezone, or from where the link /etc/localtime leads. Intl would say it, too, and costs megabytes of
// tables that nothing else in the agent needs. Undefined rather than a guess: the centre then shows UTC.

import type { Files } from './ports.ts';

/** As the time zone database writes its names [tz theory, "Timezone identifiers"]. */
const NAME = /^[A-Z][A-Za-z]{1,14}(?:\/[A-Za-z0-9_+-]{1,30}){0,2}$/;
const ZONES = /(?:^|\/)zoneinfo\/(?:posix\/|right\/)?(.+)$/;
const NAME_BYTES_MAX = 256;

const named = (text: string | undefined): string | undefined => {
  const name = (text ?? '').trim();
  return NAME.test(name) ? name : undefined;
};

/** @param environment TZ may be a name, `:name` or a path [tzset(3)]. */
export function timeZoneOf(
  environment: NodeJS.ProcessEnv,
  { read, readLink }: Pick<Files, 'read' | 'readLink'>,
): string | undefined {
  const said = environment['TZ']?.replace(/^:/, '');
  const ofPath = (path: string | undefined) => named(ZONES.exec(path ?? '')?.[1]);
  // What TZ says holds, even where it says a rule that has no name: the files would say another zone.
  if (said !== undefined && said !== '') return ofPath(said) ?? named(said);
  return named(read('/etc/timezone', NAME_BYTES_MAX)) ?? ofPath(readLink('/etc/localtime'));
}
