// Where the broker is and with which token: the environment first, then what a demo in this folder or one
// above has written for its operator, then the default address without a token. Read once per run.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { fail, ok, type Result } from '../protocol/result.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8080';
const OPERATOR_FILE = join('.tillwatch', 'operator.json');

const operatorSchema = v.object({ url: v.string(), token: v.string() });

export type Operator = { readonly url: string; readonly token: string | undefined };

/** What a demo writes (mode 0600), so that the verbs work in its folder without any setting. */
function findOperatorFile(folder: string): Operator | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, OPERATOR_FILE);
    if (existsSync(path)) {
      try {
        return v.parse(operatorSchema, JSON.parse(readFileSync(path, 'utf8')));
      } catch {
        return undefined; // half written, or not ours: the defaults do
      }
    }
    if (dirname(at) === at) return undefined;
  }
}

export function findOperator(env: NodeJS.ProcessEnv, folder: string): Result<Operator> {
  const file = findOperatorFile(folder);
  const url = env['TILLWATCH_URL'] || file?.url || DEFAULT_URL;
  const parsed = URL.parse(url);
  // fetch takes no name and password in an address; ours would not be asked for them.
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== '') {
    return fail(`TILLWATCH_URL is "${url}", which is not an http address such as ${DEFAULT_URL}`);
  }
  // What may stand in a header [RFC 6750 2.1]; a copied line end is no reason to be sent away.
  const given = env['TILLWATCH_API_TOKEN']?.trim();
  if (given && !/^[\x21-\x7e]+$/.test(given)) {
    return fail('TILLWATCH_API_TOKEN holds characters that no token has');
  }
  // A token goes only to the broker that it is of.
  const token = given || (file?.url === url ? file.token : undefined);
  return ok({ url: url.replace(/\/+$/, ''), token });
}
