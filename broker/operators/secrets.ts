// Secrets of operators as they are kept: what scrypt makes of them [RFC 7914], with its parameters beside it, so that a
// later release may ask for more without locking anybody out. scrypt runs on the thread pool of libuv and never
// on the loop; at most two at once, because each takes 16 MB and a core, few may wait, and one address cannot take
// all places. Who is known (attempts.ts) has places of their own, and goes first. 256 random bits are not guessed; scrypt is for the day on which somebody reads the database.

import { randomBytes, type ScryptOptions, scrypt, scryptSync, timingSafeEqual } from 'node:crypto';
import { addressKey } from '../addresses.ts';

export type Cost = { readonly ln: number; readonly r: number; readonly p: number };
/** 16 MB and some tens of milliseconds; OWASP's third choice for scrypt. */
export const COST: Cost = { ln: 14, r: 8, p: 5 };
/** Whoever wrote into the database cannot make the broker take a gigabyte. */
const LN_MAX = 17;
const BYTES = 32;
const SALT_BYTES = 16;
const RUNNING_MAX = 2;
/** Who wait; more are told to come again. */
export const WAITING_MAX = 16;
/** The same, of those who are known. */
export const KNOWN_WAITING_MAX = 16;
/** Of one address, running and waiting; of who is known, by name and address. */
export const FROM_ONE_ADDRESS_MAX = 2;

const KEPT =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

type Kept = { readonly cost: Cost; readonly salt: Buffer; readonly hash: Buffer };

const optionsOf = ({ ln, r, p }: Cost): ScryptOptions => ({
  ...{ N: 2 ** ln, r, p },
  maxmem: 256 * 2 ** ln * r,
});

const format = ({ ln, r, p }: Cost, salt: Buffer, hash: Buffer): string =>
  `$scrypt$ln=${ln},r=${r},p=${p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;

function parse(text: string): Kept | undefined {
  const [, ln, r, p, salt, hash] = KEPT.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  if (cost.ln < 1 || cost.ln > LN_MAX || cost.r < 1 || cost.p < 1) return undefined;
  return { cost, salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') };
}

/** 256 random bits, as 43 characters that need no quoting. */
export const newSecret = (): string => randomBytes(BYTES).toString('base64url');

/** Blocks for some tens of milliseconds: for programs that do nothing else, such as `broker init`. */
export function keepNow(secret: string, cost = COST): string {
  const salt = randomBytes(SALT_BYTES);
  return format(cost, salt, scryptSync(secret, salt, BYTES, optionsOf(cost)));
}

/** Who is signed in, and where. */
type By = { readonly name: string; readonly address: string };

export type Secrets = {
  /** For somebody who is known. @returns what to store; undefined when too many wait. */
  readonly keep: (secret: string, by: By) => Promise<string | undefined>;
  /**
   * @param kept what was stored; undefined for a name that nobody has, which takes as long
   * @param known the name, of who is known at this address
   * @returns undefined when too many wait.
   */
  readonly fits: (
    secret: string,
    kept: string | undefined,
    address: string,
    known?: string,
  ) => Promise<boolean | undefined>;
  /** Running and waiting, for tests. */
  readonly busy: () => number;
};

const derive = (secret: string, salt: Buffer, cost: Cost): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(secret, salt, BYTES, optionsOf(cost), (error, hash) =>
      error === null ? resolve(hash) : reject(error),
    );
  });

/** Lets few work at once. @returns undefined for work that was not taken. */
function createTurns() {
  const [known, strangers]: [(() => void)[], (() => void)[]] = [[], []];
  const byOne = new Map<string, number>();
  let running = 0;
  const count = (one: string, more: number): void => {
    const now = (byOne.get(one) ?? 0) + more;
    if (now <= 0) byOne.delete(one);
    else byOne.set(one, now);
  };
  return {
    busy: () => running + known.length + strangers.length,
    take: async <T>(
      address: string,
      name: string | undefined,
      work: () => Promise<T>,
    ): Promise<T | undefined> => {
      const [waiting, max] =
        name === undefined ? [strangers, WAITING_MAX] : [known, KNOWN_WAITING_MAX];
      const key = addressKey(address);
      const one = name === undefined ? key : `${name} ${key}`;
      if (waiting.length >= max || (byOne.get(one) ?? 0) >= FROM_ONE_ADDRESS_MAX) return undefined;
      count(one, 1);
      try {
        if (running < RUNNING_MAX) running += 1;
        // Whoever ends gives its place on, so that nobody slips in between.
        else await new Promise<void>((resolve) => waiting.push(resolve));
        return await work();
      } finally {
        count(one, -1);
        const next = known.shift() ?? strangers.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}

export function createSecrets(cost = COST): Secrets {
  const turns = createTurns();
  // Nobody has this secret; compared with, it takes as long as somebody's.
  const nobody: Kept = { cost, salt: randomBytes(SALT_BYTES), hash: randomBytes(BYTES) };
  return {
    busy: turns.busy,
    keep: (secret, { name, address }) =>
      turns.take(address, name, async () => {
        const salt = randomBytes(SALT_BYTES);
        return format(cost, salt, await derive(secret, salt, cost));
      }),
    fits: (secret, text, address, known) =>
      turns.take(address, known, async () => {
        const kept = text === undefined ? nobody : (parse(text) ?? nobody);
        const hash = await derive(secret, kept.salt, kept.cost);
        return timingSafeEqual(hash, kept.hash) && kept !== nobody;
      }),
  };
}
