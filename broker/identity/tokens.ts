// Enrolment tokens: made for one terminal in one store, good once and for minutes. All wishes of a list are judged before
// any is granted, so that a wrong row in a file of a whole store leaves nothing half done. A new token for a
// terminal ends the older ones: whoever finds yesterday's printout has nothing.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { formatToken } from '../../protocol/enrolment.ts';
import { isId } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { checkReason, type Parts, refuse, writeAudit } from './parts.ts';
import type { Act, EnrolRefusal, TokenMade, TokenWish } from './types.ts';

const ID_BYTES = 8;
/** 256 random bits. */
const SECRET_BYTES = 32;
export const TOKEN_MINUTES_MAX = 7 * 1_440;
/** In one request; a store has tens of terminals. */
export const TOKENS_AT_ONCE_MAX = 1_000;
/** Of all, used ones included: as many as terminals fit a broker, twice. */
const TOKENS_MAX = 40_000;
const KEPT_MS = 7 * 86_400_000;
/** Of a list, told at once. */
const PROBLEMS_MAX = 100;
const MINUTE_MS = 60_000;

export const digestOf = (text: string): Uint8Array => createHash('sha256').update(text).digest();

const NOBODY = digestOf(randomBytes(SECRET_BYTES).toString('base64url'));
/** Takes as long for a token that is not there. */
export function isSecret(secret: string, known: Uint8Array | undefined): boolean {
  const isSame = timingSafeEqual(digestOf(secret), known ?? NOBODY);
  return isSame && known !== undefined;
}

const PLAIN =
  'this broker runs in plain text (plainText: true), where nobody has a certificate: ' +
  'there is nothing to enrol with';

function createJudges(parts: Parts) {
  const { fleet, records } = parts;

  function judgeWords({ terminal, store: where, minutes }: TokenWish): Result<void> {
    if (!isId(terminal)) return fail(`"${terminal.slice(0, 64)}" is no id of a terminal`);
    if (!isId(where)) return fail(`"${where.slice(0, 64)}" is no id of a store`);
    const isMinutes = minutes === undefined || (minutes >= 1 && minutes <= TOKEN_MINUTES_MAX);
    return isMinutes
      ? ok(undefined)
      : fail(`a token is good for 1 to ${TOKEN_MINUTES_MAX} minutes`);
  }

  function judge(wish: TokenWish): Result<void> {
    const words = judgeWords(wish);
    if (!words.ok) return words;
    const { terminal, store: where, again } = wish;
    const planned = fleet.planner.storeOf(terminal);
    if (planned !== undefined && planned !== where) {
      return fail(`${terminal} stands in ${planned}: move it first (tillwatch terminal move)`);
    }
    const { state } = records.get(terminal);
    const replace = `tillwatch terminal replace ${terminal}`;
    if (state === 'suspended') return fail(`${terminal} is suspended: resume it first`);
    if (state === 'revoked' || state === 'retired') {
      return fail(`${terminal} is ${state}: ${replace} brings it back`);
    }
    if (state === 'enrolled' && again !== true) {
      return fail(
        `${terminal} is enrolled already: ${replace} takes its certificate back at once; ` +
          '--again leaves it until the new token is used',
      );
    }
    return ok(undefined);
  }

  /** @returns why this broker can enrol nobody. */
  function judgeBroker(): EnrolRefusal | undefined {
    if (parts.trust === undefined) return refuse('conflict', PLAIN);
    if (parts.addresses().urls.length > 0) return undefined;
    return refuse('conflict', 'this broker does not know what it is called: set `names`');
  }

  function judgeAll(wishes: readonly TokenWish[]): EnrolRefusal | undefined {
    const problems: string[] = [];
    const seen = new Set<string>();
    for (const wish of wishes) {
      const judged = judge(wish);
      if (!judged.ok) problems.push(judged.reason);
      else if (seen.has(wish.terminal)) problems.push(`${wish.terminal} stands there twice`);
      seen.add(wish.terminal);
    }
    if (problems.length === 0) return undefined;
    const told = problems.slice(0, PROBLEMS_MAX).join('\n');
    return refuse(wishes.length === 1 ? 'conflict' : 'invalid', told);
  }

  return {
    judgeBroker,
    judgeAll,
    judgeWish: (wish: TokenWish): EnrolRefusal | undefined => {
      const judged = judgeWords(wish);
      return judged.ok ? undefined : refuse('invalid', judged.reason);
    },
  };
}

export function createTokens(parts: Parts) {
  const { fleet, store, settings, clock } = parts;
  const { judgeBroker, judgeAll, judgeWish } = createJudges(parts);

  /** Within a transaction, of what was judged. */
  function grant({ terminal, store: where, minutes }: TokenWish, act: Act): TokenMade {
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const id = randomBytes(ID_BYTES).toString('hex');
    const expiresMs = clock.wallMs() + (minutes ?? settings.tokenMinutes) * MINUTE_MS;
    store.forgetTokens(terminal);
    const row = { id, terminal, store: where, madeBy: act.operator, expiresMs };
    store.saveToken({ ...row, secret: digestOf(secret) });
    writeAudit(parts, {
      ...{ operator: act.operator, action: 'terminal.enrol.token', subject: terminal },
      ...{
        reason: act.reason.trim(),
        outcome: 'ok',
        detail: { token: id, store: where, expiresMs },
      },
    });
    const { urls } = parts.addresses();
    const authority = parts.trust?.fingerprint() ?? '';
    const token = formatToken({ id, secret, terminal, authority, urls: [...urls] });
    return { ok: true, token, id, terminal, store: where, expiresMs };
  }

  function makeTokens(wishes: readonly TokenWish[], act: Act) {
    if (wishes.length > TOKENS_AT_ONCE_MAX) {
      return refuse('too_many', `at most ${TOKENS_AT_ONCE_MAX} tokens are made at once`);
    }
    const wrong = judgeBroker() ?? checkReason(act.reason) ?? judgeAll(wishes);
    if (wrong !== undefined) return wrong;
    const made = fleet.database.transact(() => {
      store.purgeTokens(clock.wallMs() - KEPT_MS);
      if (store.countTokens() + wishes.length > TOKENS_MAX) return undefined;
      return wishes.map((wish) => grant(wish, act));
    });
    if (!made.ok) return refuse('unavailable', made.reason);
    if (made.value === undefined) return refuse('too_many', 'there are too many open tokens');
    return { ok: true, tokens: made.value } as const;
  }

  return {
    judgeBroker,
    judgeWish,
    grant,
    makeTokens,
    makeToken: (wish: TokenWish, act: Act): TokenMade | EnrolRefusal => {
      const made = makeTokens([wish], act);
      if (!made.ok) return made;
      const [token] = made.tokens;
      return token ?? refuse('unavailable', 'no token was made');
    },
  };
}
