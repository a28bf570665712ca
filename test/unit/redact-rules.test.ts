// What an operator adds to the redactor: read strictly, refused with a reason, linear whoever wrote it, and
// never a way to let a card through.

import { afterEach, describe, expect, it } from 'vitest';
import {
  isStamp,
  NO_COUNTS,
  NO_RULES,
  openRedactStream,
  readRules,
  redactFields,
  redactString,
  stamp,
  useRules,
} from '../../redact/index.ts';

afterEach(() => useRules(NO_RULES));

function use(...rules: unknown[]): void {
  const read = readRules(rules);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  useRules(read.rules);
}
const redact = (text: string): string => redactString(text).value;
const problemsOf = (...rules: unknown[]) => {
  const read = readRules(rules);
  return read.ok ? [] : read.problems.map(({ path, sentence }) => `${path}: ${sentence}`);
};

const badge = { name: 'badge', kind: 'pattern', pattern: 'BADGE-[0-9]{6}' };
const loyalty = { name: 'loyalty', kind: 'key', keys: ['loyalty_id', 'member*'] };

describe('the stamp', () => {
  it('changes with the rules, and only with them', () => {
    const plain = stamp();
    expect(plain).toBe('tillwatch-redact/2');
    use(badge);
    const first = stamp();
    expect(first).toMatch(/^tillwatch-redact\/2\+[0-9a-f]{8}$/);
    use(badge, loyalty);
    expect(stamp()).not.toBe(first);
    use(badge);
    expect(stamp()).toBe(first);
    use();
    expect(stamp()).toBe(plain);
  });

  it('is known by its form', () => {
    for (const text of [
      'tillwatch-redact/1',
      'tillwatch-redact/2',
      'tillwatch-redact/2+0123abcd',
    ]) {
      expect(isStamp(text), text).toBe(true);
    }
    for (const text of [
      '',
      'tillwatch-redact/',
      'tillwatch-redact/2+',
      'x tillwatch-redact/2',
      'tillwatch-redact/2+0123ABCD ',
    ]) {
      expect(isStamp(text), text).toBe(false);
    }
  });

  it('is on what a stream gives', () => {
    use(badge);
    expect(openRedactStream().redactor).toBe(stamp());
  });
});

describe('a rule of keys', () => {
  it.each([
    ['{"loyalty_id":"L-77 812","x":1}', '{"loyalty_id":"[CUSTOM loyalty]","x":1}'],
    ['{"loyalty_id":77812,"x":1}', '{"loyalty_id":"[CUSTOM loyalty]","x":1}'],
    ['{\\"loyalty_id\\":\\"L-77\\"}', '{\\"loyalty_id\\":\\"[CUSTOM loyalty]\\"}'],
    ['loyalty_id=L77812 x=1', 'loyalty_id=[CUSTOM loyalty] x=1'],
    ["LOYALTY_ID='L 77812' x", "LOYALTY_ID='[CUSTOM loyalty]' x"],
    ['memberNumber: 7781, x', 'memberNumber: [CUSTOM loyalty], x'],
    ['<loyalty_id>L77</loyalty_id>', '<loyalty_id>[CUSTOM loyalty]</loyalty_id>'],
    ['GET /x?loyalty_id=77812&y=1', 'GET /x?loyalty_id=[CUSTOM loyalty]&y=1'],
    ['{"loyalty_id":null}', '{"loyalty_id":null}'],
    ['{"loyalty_id":""}', '{"loyalty_id":""}'],
    ['remember=1 disloyalty_id=2', 'remember=1 disloyalty_id=2'],
  ])('%s', (text, expected) => {
    use(loyalty);
    expect(redact(text)).toBe(expected);
    expect(redactString(expected)).toEqual({ value: expected, counts: NO_COUNTS });
  });

  it('takes the value of a record that is still an object', () => {
    use(loyalty);
    const { value, counts } = redactFields({ loyalty_id: { a: 1 }, member: 'x', order: 7 });
    expect(value).toEqual({
      loyalty_id: '[CUSTOM loyalty]',
      member: '[CUSTOM loyalty]',
      order: 7,
    });
    expect(counts).toEqual({ ...NO_COUNTS, custom: 2 });
    expect(redactFields(value)).toEqual({ value, counts: NO_COUNTS });
  });
});

describe('a pattern', () => {
  it.each([
    ['BADGE-[0-9]{6}', 'by BADGE-123456 at', 'by [CUSTOM p] at'],
    ['BADGE-[0-9]{6}', 'by BADGE-1234567 at', 'by BADGE-1234567 at'],
    ['[A-Z]{2}\\d{4,6}', 'AB12345 xAB1234 CAB1234', '[CUSTOM p] x[CUSTOM p] CAB1234'],
    ['emp="[^"]{1,40}"', 'emp="Jo Doe" x', '[CUSTOM p] x'],
    ['id\\.\\h{8}\\-\\w{1,9}', 'id.00aaFF99-ab_c ', '[CUSTOM p] '],
    ['no {0,1}[0-9]{6}', 'no 123456 no123456', '[CUSTOM p] [CUSTOM p]'],
  ])('%s in "%s"', (pattern, text, expected) => {
    use({ name: 'p', kind: 'pattern', pattern });
    expect(redact(text)).toBe(expected);
    const stream = openRedactStream();
    const out = [...Buffer.from(text)].map((byte) => stream.push(Uint8Array.of(byte)));
    expect(Buffer.concat([...out, stream.end()]).toString()).toBe(expected);
    expect(redact(expected)).toBe(expected);
  });

  it('of any case is said so', () => {
    use({ ...badge, ignoreCase: true });
    expect(redact('badge-123456')).toBe('[CUSTOM badge]');
    use(badge);
    expect(redact('badge-123456')).toBe('badge-123456');
  });

  it('finds nothing within marks, and a card wins nothing by it', () => {
    use({ name: 'four', kind: 'pattern', pattern: '[0-9]{4}' });
    const once = redact('4111111111111111 and 1234');
    expect(once).toBe('[PAN visa ....1111] and [CUSTOM four]');
    expect(redactString(once)).toEqual({ value: once, counts: NO_COUNTS });
  });

  it.each([
    ['[0-9]+', 'has +, which knows no end: say how many, as in [0-9]{1,20}'],
    ['a*bcd', 'has *, which knows no end'],
    ['(a|b)cde', 'there are no groups'],
    ['abc|def', 'write one rule for each'],
    ['ab.de', 'bare .'],
    ['^abcd', 'a pattern is looked for everywhere'],
    ['[0-9]{2}', 'must have at least 4'],
    ['[a-z]{1,300}', 'at most 256'],
    ['[0-9]{1,9}[0-9a-f]{9}', 'does not show where [0-9]{1,9} ends: [0-9a-f]{9} after it could'],
    ['[0-9]{1,9}-{0,1}[0-9]{4}', 'does not show where'],
    ['[abc', 'has a [ without its ]'],
    ['[]abcd', 'nothing in it'],
    ['[z-a]{4}', 'which is none'],
    ['abcd{4,2}', 'which is none'],
    ['abcd{x}', 'no length'],
    ['abc\\', 'ends with a backslash'],
    ['abc\\b', 'which is not known'],
    ['größe', 'plain ASCII'],
    ['x'.repeat(201), 'at most 200'],
  ])('%s is refused', (pattern, sentence) => {
    const [problem, ...others] = problemsOf({ name: 'p', kind: 'pattern', pattern });
    expect(problem).toContain('[0].pattern: ');
    expect(problem).toContain(sentence);
    expect(others).toEqual([]);
  });

  it('that is the worst that is taken costs a long line little', () => {
    use({ name: 'p', kind: 'pattern', pattern: '[a-f]{1,60}[0-9]{1,60}[g-m]{1,60}[0-9]{1,60}!' });
    const line = `${'a'.repeat(60)}${'1'.repeat(60)}${'g'.repeat(60)}${'1'.repeat(60)}`.repeat(136);
    const startMs = performance.now();
    redact(line);
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });
});

describe('an allow-list', () => {
  const order = { name: 'orders', kind: 'allow', keys: ['order_ref'], form: '[0-9]{15,19}' };

  it('lets the numbers of a key be, and of no other', () => {
    use(order);
    expect(redact('{"order_ref":"378282246310005"}')).toContain('378282246310005');
    expect(redact('order_ref=378282246310005')).toContain('378282246310005');
    expect(redact('other=378282246310005')).toContain('[PAN amex');
    expect(redact('order_ref=x 378282246310005')).toContain('[PAN amex');
  });

  it('lets no card of 16 digits through, no track, no code, no key', () => {
    use({ ...order, form: '[ -~]{4,200}', keys: ['order_ref', 'cvv', 'track2', 'pan'] });
    expect(redact('order_ref=4111111111111111')).toContain('[PAN visa');
    expect(redact('order_ref="4111 1111 1111 1111"')).toContain('[PAN visa');
    expect(redact('order_ref=;4111111111111111=29122011234567890?')).toContain('[TRACK]');
    expect(redact('cvv=1234')).toBe('cvv=[REMOVED]');
    expect(redact('{"track2":"anything"}')).toContain('[REMOVED]');
  });

  it('that could allow nothing is refused', () => {
    expect(problemsOf({ ...order, form: '[0-9]{16}' })[0]).toContain('never let through');
    expect(problemsOf({ ...order, form: '[a-z]{16}' })).toEqual([]);
  });
});

describe('what is wrong', () => {
  it('is told all at once, each with its path', () => {
    expect(
      problemsOf(
        7,
        { kind: 'key', keys: [] },
        { name: 'Has 1', kind: 'regexp' },
        { ...badge, pattern: '[0-9]+', colour: 'red' },
        { ...loyalty, name: 'badge', keys: ['ok', '9x', 3] },
        { name: 'a', kind: 'allow', keys: ['x'] },
        { ...badge, name: 'b', ignoreCase: 'yes' },
      ).map((problem) => problem.slice(0, problem.indexOf(':'))),
    ).toEqual([
      '[0]',
      '[1].name',
      '[1].keys',
      '[2].name',
      '[2].kind',
      '[3].colour',
      '[3].pattern',
      '[4].name',
      '[4].keys[1]',
      '[4].keys[2]',
      '[5].form',
      '[6].ignoreCase',
    ]);
  });

  it('is also what is no list, or too long', () => {
    for (const value of [undefined, null, {}, 'x', Array.from({ length: 65 }, () => badge)]) {
      expect(readRules(value).ok).toBe(false);
    }
  });
});
