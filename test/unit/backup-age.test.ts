// The inside of a backup: encrypted as age does it, archived as tar does it; whatever is changed or missing is found.

import { randomBytes } from 'node:crypto';
import { Decrypter, Encrypter } from 'age-encryption';
import { Parser } from 'tar';
import { describe, expect, it } from 'vitest';
import { decryptAge, encryptAge } from '../../broker/backup/age.ts';
import { readTar, tarEnd, tarHeader, tarPadding } from '../../broker/backup/tar.ts';

const PASSPHRASE = 'correct horse battery staple';
const PIECE = 64 * 1024;
/** Of scrypt: what guessing costs is no question here. */
const WORK_LOG2 = 10;

/** Comes in odd parts, as a disk or a compressor gives them. */
async function* partsOf(bytes: Uint8Array, size = 50_001): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size)
    yield await Promise.resolve(bytes.subarray(at, at + size));
}
async function all(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}
const seal = (plain: Uint8Array) => all(encryptAge(partsOf(plain), PASSPHRASE, WORK_LOG2));
const open = (sealed: Uint8Array, passphrase = PASSPHRASE) =>
  all(decryptAge(partsOf(sealed), passphrase));

describe('encryption', () => {
  it('is what another program of the same format reads and writes', async () => {
    for (const length of [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE]) {
      const plain = randomBytes(length);
      const theirs = new Decrypter();
      theirs.addPassphrase(PASSPHRASE);
      const read = await theirs.decrypt(new Uint8Array(await seal(plain)));
      expect(Buffer.from(read).equals(plain)).toBe(true);
      const other = new Encrypter();
      other.setScryptWorkFactor(WORK_LOG2);
      other.setPassphrase(PASSPHRASE);
      const sealed = await other.encrypt(new Uint8Array(plain));
      expect((await open(sealed)).equals(plain)).toBe(true);
    }
  });

  it('tells a wrong passphrase from a file that was cut off or changed', async () => {
    const plain = randomBytes(2 * PIECE + 100);
    const sealed = await seal(plain);
    await expect(open(sealed, 'another passphrase')).rejects.toThrow('is not opened by this');
    // After whole pieces, within one, and behind all of it.
    const header = sealed.length - plain.length - 3 * 16;
    for (const end of [header + PIECE + 16, header + 1_000, sealed.length - 1]) {
      await expect(open(sealed.subarray(0, end))).rejects.toThrow(/cut off/);
    }
    await expect(open(sealed.subarray(0, 40))).rejects.toThrow('within its beginning');
    await expect(open(Buffer.concat([sealed, Buffer.alloc(5)]))).rejects.toThrow('is damaged');
    await expect(open(randomBytes(9_000))).rejects.toThrow('is no file');
  });

  it('finds one changed bit wherever it is', async () => {
    const sealed = await seal(randomBytes(PIECE + 10));
    for (let at = 0; at < sealed.length; at += Math.floor(sealed.length / 9)) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(open(changed)).rejects.toThrow();
    }
  });

  it('does not let a file ask for more memory than it should', async () => {
    const sealed = (await seal(Buffer.alloc(1))).toString('latin1');
    const greedy = Buffer.from(sealed.replace(/ 10\n/, ' 30\n'), 'latin1');
    await expect(open(greedy)).rejects.toThrow('more memory');
  });
});

describe('the archive', () => {
  async function* archiveOf(files: readonly (readonly [string, Buffer])[]) {
    for (const [name, body] of files) {
      yield tarHeader({ name, bytes: body.length }, 1_700_000_000_000);
      yield body;
      yield tarPadding(body.length);
    }
    yield await Promise.resolve(tarEnd());
  }
  const files = [0, 1, 511, 512, 513, 9_999].map(
    (length) => [`data/logs/${length}.log`, randomBytes(length)] as const,
  );

  it('is what another program of the same format reads', async () => {
    const read: Record<string, Buffer> = {};
    const parser = new Parser({
      onReadEntry: (entry) => {
        const parts: Buffer[] = [];
        entry.on('data', (part) => parts.push(part));
        entry.on('end', () => {
          read[entry.path] = Buffer.concat(parts);
        });
      },
    });
    parser.end(await all(archiveOf(files)));
    for (const [name, body] of files) expect(read[name]?.equals(body)).toBe(true);
  });

  it('gives each file whole, also when nobody read the one before', async () => {
    const bytes = await all(archiveOf(files));
    const seen: [string, boolean][] = [];
    await readTar(partsOf(bytes, 333), async ({ name }, body) => {
      const wanted = files.find(([one]) => one === name)?.[1];
      if (wanted?.length === 512) return;
      seen.push([name, (await all(body)).equals(wanted ?? Buffer.of(1))]);
    });
    expect(seen.length).toBe(5);
    expect(seen.every(([, isSame]) => isSame)).toBe(true);
  });

  it('tells the size of a file of any size', () => {
    for (const bytes of [8 ** 11 - 1, 8 ** 11, 2 ** 40]) {
      const header = tarHeader({ name: 'data/ledger.db', bytes }, 0);
      let size = -1;
      const parser = new Parser({
        onReadEntry: (entry) => {
          size = entry.size;
        },
      });
      parser.write(header);
      expect(size).toBe(bytes);
    }
  });

  it('has no name that leads out of the folder', async () => {
    const header = tarHeader({ name: 'data/aa/x', bytes: 0 }, 0);
    header.write('data/../x', 0, 'latin1');
    let sum = 8 * 0x20;
    for (const [at, byte] of header.entries()) if (at < 148 || at >= 156) sum += byte;
    header.write(sum.toString(8).padStart(6, '0'), 148, 'latin1');
    const read = readTar(partsOf(Buffer.concat([header, tarEnd()])), async () => {});
    await expect(read).rejects.toThrow('with the name "data/../x"');
  });
});
