// Every way in which a card number gets into a log, beyond the plain ones of redact-corpus.ts: dumps, codes, chips,
// messages to the host, and the shapes of log lines. Each says what of the number must not be left, in its own code:
// the digits between the first four and the last four, which no mask may show.

export type Encoded = { readonly name: string; readonly text: string; readonly leak: string };

const each = (text: string, code: (char: string) => string): string =>
  Array.from(text, code).join('');
const hexOf = (char: string): string => char.charCodeAt(0).toString(16).padStart(2, '0');
const groups = (card: string, ...between: string[]): string => {
  let at = -1;
  return card.replace(/\d{4}(?=\d)/g, (four) => {
    at += 1;
    return four + between[at % between.length];
  });
};
export const asTrack1 = (card: string): string => `%B${card}^DOE/JOHN^29122011234500000000?`;
export const asTrack2 = (card: string): string => `;${card}=29122011234567890?`;

/** Rows as `hexdump -C` prints them. */
export function dumpC(text: string): string {
  const rows: string[] = [];
  for (let at = 0; at < text.length; at += 16) {
    const row = Array.from(text.slice(at, at + 16));
    const bytes = row.map(hexOf);
    const left = bytes.slice(0, 8).join(' ').padEnd(23);
    const right = bytes.slice(8).join(' ').padEnd(23);
    rows.push(`${at.toString(16).padStart(8, '0')}  ${left}  ${right}  |${row.join('')}|`);
  }
  return rows.join('\n');
}

/** Rows as `xxd` prints them. */
export function dumpXxd(text: string): string {
  const rows: string[] = [];
  for (let at = 0; at < text.length; at += 16) {
    const row = text.slice(at, at + 16);
    const words = each(row, hexOf)
      .replace(/(.{4})(?=.)/g, '$1 ')
      .padEnd(39);
    rows.push(`${at.toString(16).padStart(8, '0')}: ${words}  ${row}`);
  }
  return rows.join('\n');
}

const middle = (card: string): string => card.slice(4, -4);
const even = (digits: string, filler = 'F'): string =>
  digits.length % 2 === 0 ? digits : digits + filler;
const tlv = (tag: string, value: string): string =>
  tag + (value.length / 2).toString(16).padStart(2, '0').toUpperCase() + value;
const spaced = (hex: string): string => hex.replace(/(..)(?=.)/g, '$1 ');
/** As it lies in the bytes: from the first whole byte on, because a half one belongs to a neighbour as well. */
const innerBytes = (card: string): string => spaced(card.slice(4, 10));

const text = (card: string): Encoded[] => {
  const leak = middle(card);
  const plain: [string, string][] = [
    ['logfmt', `level=info msg="paid" card_number=${card} ok=true`],
    ['logfmt in quotes', `level=info msg="paid by ${card}" ok=true`],
    ['YAML', `  card:\n    pan: '${card}'\n    expiry: 12/29`],
    ['YAML without quotes', `- number: ${card}`],
    ['CSV', `17,berlin-3,${card},12.50,EUR`],
    ['CSV with semicolons', `17;"${card}";12,50`],
    ['list of JSON', `{"numbers":[1,${card},2]}`],
    [
      'JSON in JSON in JSON',
      JSON.stringify({ a: JSON.stringify({ b: JSON.stringify({ n: card }) }) }),
    ],
    ['attribute of XML', `<card brand="x" number="${card}"/>`],
    ['element of XML', `<ns:Card><ns:Number type="pan">${card}</ns:Number></ns:Card>`],
    ['path of a URL', `GET /cards/${card}/balance HTTP/1.1`],
    ['stack trace', `Error: cannot charge '${card}'\n    at charge (/opt/pos/pay.js:17:3)\n`],
    ['Python', `Traceback (most recent call last):\nValueError: bad card {'no': '${card}'}`],
    ['brackets', `[pay] <${card}> (x)`],
    ['tabs', `a\t${card}\tb`],
    ['colour', `\u001b[31m${card}\u001b[0m`],
    ['cut in two by an escape', `body=%22${card}%22`],
    ['behind \\x20', `q=\\x20${card}`],
    ['in a longer row with a track', `00037${card}=29122011234567890`],
  ];
  return plain.map(([name, line]) => ({ name, text: line, leak }));
};

const grouped = (card: string): Encoded[] => {
  const separators: [string, string[]][] = [
    ['mixed separators', [' ', '-', '.']],
    ['no-break spaces', ['\u00a0']],
    ['narrow no-break spaces', ['\u202f']],
    ['non-breaking hyphens', ['\u2011']],
    ['two blanks', ['  ']],
    ['blanks around hyphens', [' - ']],
    ['underscores', ['_']],
    ['entities', ['&nbsp;']],
    ['escapes of JSON', ['\\u00a0']],
    ['tabs', ['\t']],
  ];
  return separators.map(([name, between]) => {
    const written = groups(card, ...between);
    return { name: `groups with ${name}`, text: `no. ${written}, x`, leak: written.slice(4, -4) };
  });
};

const coded = (card: string): Encoded[] => {
  const codes: [string, (char: string) => string][] = [
    ['hex', hexOf],
    ['hex with blanks', (c) => `${hexOf(c)} `],
    ['hex with colons', (c) => `${hexOf(c)}:`],
    ['0x with commas', (c) => `0x${hexOf(c)}, `],
    ['\\x', (c) => `\\x${hexOf(c)}`],
    ['\\u', (c) => `\\u00${hexOf(c)}`],
    ['\\\\u in JSON', (c) => `\\\\u00${hexOf(c)}`],
    ['per cent', (c) => `%${hexOf(c)}`],
    ['entities', (c) => `&#${c.charCodeAt(0)};`],
    ['entities in hex', (c) => `&#x${hexOf(c)};`],
    ['UTF-16 in hex', (c) => `${hexOf(c)} 00 `],
    ['UTF-16 in hex, big end first', (c) => `00${hexOf(c)}`],
    ['UTF-16 read as bytes', (c) => `${c}\u0000`],
    ['escaped nulls', (c) => `${c}\\u0000`],
  ];
  return codes.flatMap(([name, code]) => {
    const leak = each(middle(card), code).trim();
    return [
      { name: `number in ${name}`, text: `got ${each(card, code)}; x`, leak },
      {
        name: `groups in ${name}`,
        text: `got ${each(groups(card, ' '), code)}; x`,
        leak: each(groups(card, ' ').slice(5, 11), code).trim(),
      },
      { name: `track 1 in ${name}`, text: `got ${each(asTrack1(card), code)}; x`, leak },
      { name: `track 2 in ${name}`, text: `got ${each(asTrack2(card), code)}; x`, leak },
      { name: `JSON in ${name}`, text: `got ${each(`{"pan":"${card}","n":1}`, code)}; x`, leak },
    ];
  });
};

const dumps = (card: string): Encoded[] => {
  const lines: [string, string][] = [
    ['the number', card],
    ['a track', asTrack2(card)],
    ['a number that goes over two rows', `{"pan":"${card}"}`],
  ];
  for (let before = 0; before < 16; before += 1) {
    lines.push([`${before} characters before it`, `${'x'.repeat(before)} ${card} y`]);
  }
  return lines.flatMap(([name, line]) => [
    { name: `hexdump of ${name}`, text: dumpC(line), leak: '' },
    { name: `xxd of ${name}`, text: dumpXxd(line), leak: '' },
  ]);
};

/** In base64, the groups of four that hold nothing but the number. */
function base64Of(row: string, card: string): string {
  const at = row.indexOf(card) / 2;
  const from = Math.ceil((at + 1) / 3) * 4;
  return Buffer.from(row, 'hex')
    .toString('base64')
    .slice(from, from + 4);
}

const chips = (card: string): Encoded[] => {
  const track = even(`${card}D29122011234567890`);
  const rows: [string, string][] = [
    ['5A', tlv('5A', even(card))],
    ['57', tlv('57', track)],
    ['9F6B', tlv('9F6B', track)],
    [
      '5A among others',
      `${tlv('9F02', '001234567890')}${tlv('5A', even(card))}${tlv('5F24', '291231')}${tlv('5F20', '444F452F4A4F484E')}`,
    ],
    [
      '57 in 70',
      tlv('70', `${tlv('57', track)}${tlv('5F20', '444F452F4A4F484E')}${tlv('9F1F', '303030')}`),
    ],
  ];
  return rows.flatMap(([name, row]) => [
    { name: `${name} without blanks`, text: `tlv ${row} end`, leak: middle(card) },
    { name: `${name} in small letters`, text: `tlv ${row.toLowerCase()} end`, leak: middle(card) },
    { name: `${name} with blanks`, text: `tlv ${spaced(row)} end`, leak: innerBytes(card) },
    { name: `${name} as JSON`, text: `{"emv":"${row}","n":1}`, leak: middle(card) },
    {
      name: `${name} in base64`,
      text: `data ${Buffer.from(row, 'hex').toString('base64')} end`,
      leak: base64Of(row, card),
    },
  ]);
};

const messages = (card: string): Encoded[] => {
  const length = String(card.length).padStart(2, '0');
  const row = `0200 7238000108C08000 ${length}${card}000000000000001000112316543`;
  const named = [
    'DE2=',
    'DE 2: ',
    'F002:',
    'field 2: ',
    'field[2]=',
    '"DE2":',
    '2 F2=',
    '<field id="2" value=',
  ];
  const tracks = ['DE35=', 'F035: ', 'field 35=', 'DE-35: ', 'bit 35: ', 'DE45='];
  return [
    { name: 'a row of ISO 8583', text: `sent ${row.replaceAll(' ', '')}`, leak: middle(card) },
    { name: 'a row of ISO 8583 with blanks', text: `sent ${row}`, leak: middle(card) },
    {
      name: 'a row of ISO 8583 with a track only',
      text: `sent 02000020000100000000${String(card.length + 18)}${card}=291220112345678900`,
      leak: middle(card),
    },
    {
      name: 'a row of ISO 8583 in hex',
      text: `sent ${each(row.replaceAll(' ', ''), hexOf)}`,
      leak: each(middle(card), hexOf),
    },
    ...named.map((key) => ({ name: `${key}`, text: `msg ${key}"${card}" x`, leak: middle(card) })),
    ...named
      .slice(0, 5)
      .map((key) => ({ name: `${key} bare`, text: `msg ${key}${card} x`, leak: middle(card) })),
    ...tracks.map((key) => ({
      name: key,
      text: `msg ${key}${card}D2912201123456789 x`,
      leak: middle(card),
    })),
    {
      name: 'DE55',
      text: `DE55=${tlv('5A', even(card))}${tlv('5F24', '291231')}`,
      leak: middle(card),
    },
  ];
};

const base64 = (card: string): Encoded[] => {
  const lines = [
    card,
    asTrack1(card),
    asTrack2(card),
    JSON.stringify({ pan: card, n: 1 }),
    groups(card, ' '),
  ];
  return lines.flatMap((line) =>
    ['', 'a', 'ab', 'a card: '].flatMap((before) => {
      const bytes = Buffer.from(before + line);
      const at = before.length + line.indexOf(card.slice(0, 4)) + 4;
      return (['base64', 'base64url'] as const).map((code) => ({
        name: `${code} of ${before}${line}`,
        text: `body=${bytes.toString(code)} x`,
        leak: bytes.toString(code).slice(Math.ceil(at / 3) * 4, Math.ceil(at / 3) * 4 + 8),
      }));
    }),
  );
};

export const moreEncodings = (card: string): Encoded[] => [
  ...text(card),
  ...grouped(card),
  ...coded(card),
  ...dumps(card),
  ...chips(card),
  ...messages(card),
  ...base64(card),
];
