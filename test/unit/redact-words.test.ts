// Names, addresses, phone numbers, loyalty cards and secrets go by their key or their form; ordinary text that only
// reads like them stays. And the quick look for lines in which a finder may have something to do is never wrong in
// saying no.

import { describe, expect, it } from 'vitest';
import { FINDERS } from '../../redact/finders.ts';
import { NO_COUNTS, redactFields, redactString } from '../../redact/index.ts';
import { cards } from './redact-corpus.ts';
import { moreEncodings } from './redact-encodings.ts';

const redact = (text: string): string => redactString(text).value;
const secret = 'k3yQ9xLm2Vb7Tz4Wd8Rp';
const pemLine = `MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7${'x'.repeat(12)}`;

const gone: [string, string][] = [
  ['{"cardholder":"JOHN DOE","n":1}', '{"cardholder":"[NAME]","n":1}'],
  ['cardholder_name=JOHN DOE amount=5', 'cardholder_name=[NAME] amount=5'],
  ['Card holder: Jane M. Doe, approved', 'Card holder: [NAME], approved'],
  ['<CardholderName>DOE/J</CardholderName>', '<CardholderName>[NAME]</CardholderName>'],
  ['{ firstName: \'Jörg\', last_name: "Å" }', '{ firstName: \'[NAME]\', last_name: "Å" }'],
  ['mail to kim.lee+x@shop.example.com now', 'mail to [EMAIL] now'],
  ['?to=kim%40example.org&x=1', '?to=[EMAIL]&x=1'],
  ['{"email":"a@b.de"}', '{"email":"[EMAIL]"}'],
  ['phone: +49 30 1234567', 'phone: [PHONE]'],
  ['{"customerPhone":"(030) 123-4567","x":1}', '{"customerPhone":"[PHONE]","x":1}'],
  ['mobile=01701234567&a=b', 'mobile=[PHONE]&a=b'],
  ['loyalty_card=6399123456789012 ok', 'loyalty_card=[REMOVED] ok'],
  ['{"memberId":"00881234"}', '{"memberId":"[REMOVED]"}'],
  [`Authorization: Bearer ${secret}`, 'Authorization: Bearer [SECRET]'],
  ['authorization: Basic a2ltOnNlY3JldDE=', 'authorization: Basic [SECRET]'],
  ['password=hunter2; next', 'password=[SECRET]; next'],
  ['{"dbPassword":"a \\"b\\" c","x":1}', '{"dbPassword":"[SECRET]","x":1}'],
  ["passwd: 'x y z'", "passwd: '[SECRET]'"],
  [`api_key=${secret}&x=1`, 'api_key=[SECRET]&x=1'],
  [`{"accessToken":"${secret}"}`, '{"accessToken":"[SECRET]"}'],
  ['key AKIAIOSFODNN7EXAMPLE used', 'key [SECRET] used'],
  ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1 x', 'jwt [SECRET] x'],
  [`said two1.kim.${'Ab1-'.repeat(10)}xyz to us`, 'said [SECRET] to us'],
  [`got tws1.${'Ab1_'.repeat(10)}xyz`, 'got [SECRET]'],
  ['enrol with twe1.bGFuZS0xLi4uMTIz now', 'enrol with [SECRET] now'],
  ['mqtts://till-7:s3cr3t@broker:8883/x', 'mqtts://[SECRET]@broker:8883/x'],
  [
    `-----BEGIN EC PRIVATE KEY-----\\n${pemLine}\\nabcd==\\n-----END EC PRIVATE KEY-----`,
    '[SECRET]',
  ],
  [`-----BEGIN PRIVATE KEY-----\n${pemLine}\n`, '[SECRET]\n[SECRET]\n'],
  [`  | ${pemLine}`, '  | [SECRET]'],
  ['99: 0412AC89ABCDEF67', '99: [EMV]'],
  ['DE52=0412AC89ABCDEF67', 'DE52=[EMV]'],
  ['<field id="52" value="0412AC89ABCDEF67"/>', '<field id="52" value="[EMV]"/>'],
  ['tag 5F20: 444F452F4A4F484E', 'tag 5F20: [EMV]'],
  ['<cvv>123</cvv><PinBlock>04AB</PinBlock>', '<cvv>[REMOVED]</cvv><PinBlock>[REMOVED]</PinBlock>'],
  ['%22cvv2%22%3A%22123%22', '%22cvv2%22%3A%22[REMOVED]%22'],
  ['track2: anything;x', 'track2: [REMOVED];x'],
];

const stays = [
  'the name of the component: sale',
  '{"name":"checkout","component":"sale","status":"ok"}',
  'token: expired',
  'the password was changed by kim',
  '{"password":null,"token":false}',
  'Basic authentication is off, bearer of bad news',
  'authorization: approved 123456',
  'Error: x\n    at pay@app.js:10:5',
  'started getty@tty1.service and kim@lane',
  'npm install react@18.2.0 from @scope/package',
  'mobile: true, phone: none',
  '{"member":3,"club":"north","bonus":12}',
  'at 10:57:12 and 10:56:01, ratio 99: 1',
  'pan and pin: the pan is hot',
  'key=F2 pressed, de2 started, field 2 of 5',
  'PWD=/opt/pos HOME=/root',
  `sha256 ${'0a1b2c3d'.repeat(8)}`,
  '0'.repeat(64),
  `digest ${'0a1b2c3d'.repeat(2)}5A084111111111111111${'e4f5'.repeat(7)}`,
  'http://[::1]:8080/a and https://host:8443/x@y',
  '2026-11-23 10:00:00 port list 80 443 8080 8443 9100',
  'heap 20260 30 31 32 free',
];

describe('what is personal or secret', () => {
  it.each(gone)('%s', (text, expected) => {
    expect(redact(text)).toBe(expected);
    expect(redactString(expected)).toEqual({ value: expected, counts: NO_COUNTS });
  });
});

describe('ordinary text', () => {
  it.each(stays)('%s', (text) => {
    expect(redact(text)).toBe(text);
  });
});

describe('the quick look of each finder', () => {
  it('says yes wherever the finder has something', () => {
    const encoded = cards.flatMap((card) => moreEncodings(card).map(({ text }) => text));
    for (const text of [...gone.map(([one]) => one), ...stays, ...encoded]) {
      for (const line of text.split('\n')) {
        for (const { name, find } of FINDERS) {
          if (find(line).length === 0) continue;
          // One finder may have two looks.
          const looks = FINDERS.filter((one) => one.find === find);
          expect(
            looks.some(({ trigger }) => trigger.test(`${line}\n`)),
            `${name}: ${line}`,
          ).toBe(true);
        }
      }
    }
  });
});

describe('a record that is still an object', () => {
  it('loses what only the key tells, and keeps its shape', () => {
    const record = {
      customer: { customerName: 'Jane "J" Doe', phone: '+49 30 1234567', loyalty_id: 7781234 },
      ...{ dbPassword: 'x', token: 'expired', name: 'checkout', component: 'sale', items: 3 },
    };
    const { value, counts } = redactFields(record);
    expect(value).toEqual({
      customer: { customerName: '[NAME]', phone: '[PHONE]', loyalty_id: '[REMOVED]' },
      ...{
        dbPassword: '[SECRET]',
        token: 'expired',
        name: 'checkout',
        component: 'sale',
        items: 3,
      },
    });
    expect(counts).toEqual({ ...NO_COUNTS, name: 1, phone: 1, key: 1, secret: 1 });
    expect(redactFields(value)).toEqual({ value, counts: NO_COUNTS });
  });
});
