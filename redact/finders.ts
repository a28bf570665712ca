// Which finders there are, the most certain first: of two spans that overlap, that of the earlier one stays.
// The engine (text.ts) shows a finder only lines for which its trigger holds, so a trigger is as selective
// as it can be without ever being wrong.

import { BASE64_TRIGGER, findBase64 } from './base64.ts';
import { findCards } from './cards.ts';
import { CODED_TRIGGER, findCoded } from './coded.ts';
import { DISGUISE_TRIGGER, findDisguised } from './disguised.ts';
import { DUMP_TRIGGER, findDumps } from './dumps.ts';
import { EMAIL_TRIGGER, findEmails } from './email.ts';
import { EMV_TRIGGER, findEmv } from './emv.ts';
import { findMessages, ISO_TRIGGER } from './iso8583.ts';
import { findKeyed, KEYED_TRIGGER } from './keyed.ts';
import { RUN_TRIGGER } from './runs.ts';
import { findSecrets, PEM_TRIGGER, SECRET_TRIGGER } from './secrets.ts';
import type { Finder } from './span.ts';
import { CODE_TRIGGER, findCodes } from './words.ts';

export const FINDERS: readonly Finder[] = [
  { name: 'keyed', trigger: KEYED_TRIGGER, find: findKeyed },
  { name: 'emv', trigger: EMV_TRIGGER, find: findEmv },
  { name: 'iso8583', trigger: ISO_TRIGGER, find: findMessages },
  { name: 'dumps', trigger: DUMP_TRIGGER, find: findDumps },
  { name: 'cards', trigger: RUN_TRIGGER, find: findCards },
  { name: 'disguised', trigger: DISGUISE_TRIGGER, find: findDisguised },
  { name: 'codes', trigger: CODE_TRIGGER, find: findCodes },
  { name: 'coded', trigger: CODED_TRIGGER, find: findCoded },
  { name: 'secrets', trigger: SECRET_TRIGGER, find: findSecrets },
  { name: 'pem', trigger: PEM_TRIGGER, find: findSecrets },
  { name: 'base64', trigger: BASE64_TRIGGER, find: findBase64 },
  { name: 'email', trigger: EMAIL_TRIGGER, find: findEmails },
];
