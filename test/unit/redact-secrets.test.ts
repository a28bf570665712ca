// Security codes, PINs, secrets and names that only a word nearby gives away: in camelCase, in German, French and
// Spanish, in lists and objects, in colours, in headers. And what sounds like one of them and stays.

import { describe, expect, it } from 'vitest';
import { NO_COUNTS, redactString } from '../../redact/index.ts';

const gone: readonly (readonly [string, string])[] = [
  ['Bearer abcdefghijklmnopqrstuvwx', 'abcdefgh'],
  ['Authorization: Bearer abcdef', 'abcdef'],
  ['"authorization":"Basic YWJj"', 'YWJj'],
  ['Authorization: Token abc123def456', 'abc123'],
  ['Proxy-Authorization: Negotiate YIIabcdefghijklmn', 'YIIabc'],
  ['"cvv":["123"]', '123'],
  ['{"cvv":[123],"a":1}', '123'],
  ['{"cvv":{"value":"123"}}', '123'],
  ['{"cardNumbers":["1234567890123","1234567890124"]}', '12345678901'],
  ['{"pan": [ 1234567890123 ]}', '1234567890'],
  ['{"pan":{"value":"1234567890123"}}', '1234567890'],
  ['{"password":["a","hunter2"]}', 'hunter2'],
  ['{"cardholder":{"name":"JOHN DOE"}}', 'DOE'],
  ['cvv_code=123', '123'],
  ['cardCvv=123', '123'],
  ['{"cardCVC":"123"}', '123'],
  ['cardVerificationValue=123', '123'],
  ['verificationCode: 123', '123'],
  ['cvv (123)', '123'],
  ['cvv code: 123', '123'],
  ['[cvv] 123', '123'],
  ['Kartenprüfnummer: 123', '123'],
  ['Prüfziffer 1234', '1234'],
  ['Sicherheitscode: 123', '123'],
  ['cryptogramme visuel : 123', '123'],
  ['code de sécurité : 123', '123'],
  ['código de seguridad 123', '123'],
  ['PIN 1234', '1234'],
  ['pinCode=1234', '1234'],
  ['Geheimzahl: 1234', '1234'],
  ['"enteredPin":"1234"', '1234'],
  ['encryptedPinBlock=0412AC89ABCDEF67', '0412AC'],
  ['pin_block_hex: 0412AC89ABCDEF67', '0412AC'],
  ['"panNumber":"1234567890123"', '1234567'],
  ['Kartennummer: 1234567890123', '1234567'],
  ['numéro de carte : 1234567890123', '1234567'],
  ['Titulaire: Jean Dupont', 'Dupont'],
  ['\u001b[32mcvv\u001b[39m=\u001b[33m123', '123'],
  ["{ cvv: \u001b[32m'123'\u001b[39m, pin: \u001b[33m1234\u001b[39m }", '23'],
  ['{"m":"password: \\u001b[32mhunter2\\u001b[39m"}', 'hunter2'],
  ['postgres://user:pa@ss@host/db', 'ss@'],
  ['Cookie: sid=abcdefgh; other=zzzz', 'zzzz'],
  ['Set-Cookie: session=abc123; Path=/; HttpOnly', 'abc123'],
  ['token=abcdefghijklmnop', 'abcdefgh'],
  ['Kennwort: geheim', 'geheim'],
  ['mot de passe : secret1', 'secret1'],
  ['DB_PASS=hunter2', 'hunter2'],
  ['run --password hunter2 now', 'hunter2'],
  ['https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXX', 'XXXX'],
];

const stays = [
  'Basic authentication is off, Bearer authorization is on',
  'bearer of bad news, basic understanding of it',
  '3456:9f20:fe67:715d',
  'from 2001:db8:3456:9f20:0841:715d:1:2 port 443',
  'listen [2001:db8:574e:f052:1f44:4f97::1]:443',
  '{"receipt":"0004264659250053051","lane":7}',
  'tests pass: 12, fail: 0',
  'verification code sent, pin pad 17 ready',
  'pin 4 of 8, PIN entered, pin: ok',
  '{"pan":[],"cvv":{},"token":[true,null]}',
  '{"card_data":{"brand":"visa"}}',
  'receipt 2026112300012345678, total 12.50, 52.5200,13.4050, v1.22.333-beta4 pid 41111',
];

describe('what a word gives away', () => {
  it.each(gone)('%s', (text, leak) => {
    expect(text).toContain(leak);
    const { value } = redactString(text);
    expect(value).not.toContain(leak);
    expect(redactString(value)).toEqual({ value, counts: NO_COUNTS });
    // The bytes of a stream are read one character each.
    const bytes = Buffer.from(text).toString('latin1');
    expect(redactString(bytes).value).not.toContain(leak);
    if (text.startsWith('{"')) expect(() => JSON.parse(value)).not.toThrow();
  });

  it.each(stays)('stays: %s', (text) => {
    expect(redactString(text).value).toBe(text);
  });
});

describe('a value that never ends', () => {
  it('takes no more of a line of JSON than the text that it stands in', () => {
    for (const text of [
      '{"body":"{\\"pan\\":\\"1234567890123","level":"error"}',
      '{"n":[4111111111111111],"m":"list [4111111111111111, 5]","level":"error"}',
      '{"m":"{\\"n\\":4111111111111111}","level":"error"}',
      '{"m":"GET /x?password=","level":"error"}',
      '{"body":"<pan>1234567890123","level":"error"}',
      '{"body":"{\\"password\\":\\"hunter2","level":"error"}',
    ]) {
      const { value } = redactString(text);
      expect(JSON.parse(value).level).toBe('error');
      expect(value).not.toMatch(/123|hunter/);
    }
  });
});
