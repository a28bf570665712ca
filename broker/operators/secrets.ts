// Secrets of operators as they are kept: what scrypt makes of them [RFC 7914], with its parameters beside it, so that a
// later release may ask for more without locking anybody out. scrypt runs on the thread pool of libuv and never
// on the loop; at most two at once, because each takes 16 MB and a core, few may wait, and one address cannot take
// all places. 256 random bits are not guessed; scrypt is for the day on which somebody reads the database.

import { randomBytes, type ScryptOptions, scrypt, scryptSync, timingSafeEqual } from 'node:crypto';

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
/** Of one address, running and waiting. */
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

export type Secrets = {
  /** @returns what to store; undefined when too many wait. */
  readonly keep: (secret: string, address: string) => Promise<string | undefined>;
  /**
   * @param kept what was stored; undefined for a name that nobody has, which takes as long
   * @returns undefined when too many wait.
   */
  readonly fits: (
    secret: string,
    kept: string | undefined,
    address: string,
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
  const waiting: (() => void)[] = [];
  const byAddress = new Map<string, number>();
  let running = 0;
  const count = (address: string, more: number): void => {
    const now = (byAddress.get(address) ?? 0) + more;
    if (now <= 0) byAddress.delete(address);
    else byAddress.set(address, now);
  };
  return {
    busy: () => running + waiting.length,
    take: async <T>(address: string, work: () => Promise<T>): Promise<T | undefined> => {
      if (waiting.length >= WAITING_MAX) return undefined;
      if ((byAddress.get(address) ?? 0) >= FROM_ONE_ADDRESS_MAX) return undefined;
      count(address, 1);
      try {
        if (running < RUNNING_MAX) running += 1;
        // Whoever ends gives its place on, so that nobody slips in between.
        else await new Promise<void>((resolve) => waiting.push(resolve));
        return await work();
      } finally {
        count(address, -1);
        const next = waiting.shift();
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
    keep: (secret, address) =>
      turns.take(address, async () => {
        const salt = randomBytes(SALT_BYTES);
        return format(cost, salt, await derive(secret, salt, cost));
      }),
    fits: (secret, text, address) =>
      turns.take(address, async () => {
        const kept = text === undefined ? nobody : (parse(text) ?? nobody);
        const hash = await derive(secret, kept.salt, kept.cost);
        return timingSafeEqual(hash, kept.hash) && kept !== nobody;
      }),
  };
}
