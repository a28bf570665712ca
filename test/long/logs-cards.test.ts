// Every test card in every way in which one gets into a log, printed by a component that no redactor of ours has seen: gone
// from the journal, from the wire, from the broker's disk and from what Loki is sent, and soon from the file that the
// component printed into. The wire is read by a proxy in between, packet by packet, unpacked.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createProxy } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import mqttPacket from 'mqtt-packet';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openReader } from '../../agent/logs/journal/reader.ts';
import { unpackBody } from '../../protocol/body.ts';
import { decodeLogChunk } from '../../protocol/logs.ts';
import { decodeBatch } from '../../protocol/wire.ts';
import { until } from '../real/agent-rig.ts';
import { LogsRig } from '../real/logs-rig.ts';
import { cards, containsCard, encodings } from '../unit/redact-corpus.ts';
import { type Encoded, moreEncodings } from '../unit/redact-encodings.ts';

const PRINTER = `
const { readFileSync, writeSync } = require('node:fs');
const bytes = readFileSync(process.argv[1]);
for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
setInterval(() => undefined, 1000);
`;
const ALL = { sinceMs: 0, untilMs: Date.now() + 600_000 };

type Case = Encoded & { readonly card: string };
const plain = cards.flatMap((card) =>
  encodings(card).map(([name, text]) => ({ name, text, card })),
);
/** Zeros alone stand in any dump; of dumps themselves the rows are read (undumped). */
const isTelling = ({ leak }: Encoded): boolean => !/^(.?)\1*$/.test(leak);
const coded: Case[] = cards.flatMap((card) =>
  moreEncodings(card).map((encoded) => ({ ...encoded, card })),
);

type Push = { readonly streams: readonly { stream: object; values: [string, ...unknown[]][] }[] };

/** All of it but the times: nineteen digits of nanoseconds have six of a card's by chance. */
function textOf(push: string): string {
  const { streams } = JSON.parse(push) as Push;
  return streams
    .flatMap(({ stream, values }) => [stream, ...values.map(([_ns, ...rest]) => rest)])
    .map((one) => `${JSON.stringify(one)}\n`)
    .join('');
}

let rig: LogsRig;
let loki: Server;
let pushed = '';
let wire = '';
const proxies: { close: () => void }[] = [];

/** Passes everything, and keeps what the terminal publishes, as it is when it is unpacked. */
function listenIn(to: number): Promise<number> {
  const proxy = createProxy((till) => {
    const broker = connect(to, '127.0.0.1');
    const parser = mqttPacket.parser({ protocolVersion: 4 });
    parser.on('packet', (packet) => {
      if (packet.cmd !== 'publish') return;
      const batch = decodeBatch(packet.payload as Buffer);
      const body = batch.ok ? unpackBody(batch.value) : batch;
      if (!body.ok) return;
      const isLog = batch.ok && batch.value.stream === 'logs';
      const chunk = isLog ? decodeLogChunk(body.value) : undefined;
      const bytes = chunk?.ok ? chunk.value.body : body.value;
      wire += Buffer.from(bytes).toString('latin1');
    });
    till.on('data', (data) => {
      parser.parse(data);
      broker.write(data);
    });
    broker.pipe(till);
    till.on('close', () => broker.destroy()).on('error', () => undefined);
    broker.on('close', () => till.destroy()).on('error', () => undefined);
  });
  proxies.push(proxy);
  return new Promise((done) => {
    proxy.listen(0, '127.0.0.1', () => done((proxy.address() as AddressInfo).port));
  });
}

beforeEach(async () => {
  rig = new LogsRig();
  [pushed, wire] = ['', ''];
  loki = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      const isPacked = request.headers['content-encoding'] === 'gzip';
      pushed += textOf((isPacked ? gunzipSync(body) : body).toString());
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((done) => loki.listen(0, '127.0.0.1', done));
  const { port } = loki.address() as AddressInfo;
  await rig.startBroker({ sinks: { loki: [{ name: 'loki', url: `http://127.0.0.1:${port}` }] } });
});
afterEach(async () => {
  for (const proxy of proxies.splice(0)) proxy.close();
  loki.close();
  loki.closeAllConnections();
  await rig.clean();
});

/** Both columns of hexdump -C and xxd, row after row, as the text that was dumped. */
function undumped(text: string): string {
  let [bytes, shown] = ['', ''];
  for (const [, row = '', ascii = ''] of text.matchAll(
    /[0-9a-f]{8}:? {1,2}((?:[0-9a-f]{2} {0,2}){1,16}) {1,48}\|?(.{1,16}?)\|?$/gm,
  )) {
    bytes += Buffer.from(row.replaceAll(' ', ''), 'hex').toString('latin1');
    shown += ascii;
  }
  return `${bytes}\n${shown}`;
}

/** What is left of them in a text, by name; once for each encoding is enough to know. */
function leaksIn(text: string): string[] {
  const rows = undumped(text);
  const found = [
    ...cards.filter((card) => containsCard(text, card)),
    ...cards.filter((card) => containsCard(rows, card)).map((card) => `${card} in a dump`),
    ...coded
      .filter((one) => isTelling(one) && text.includes(one.leak))
      .map(({ name, leak }) => `${name}: ${leak}`),
  ];
  return [...new Set(found)];
}

function journalText(folder: string): string {
  const reader = openReader(folder);
  let text = '';
  for (const component of reader.components()) {
    for (const block of reader.blocks(component, { sinceMs: 0, untilMs: 8e15 })) {
      const records = reader.read(block);
      if (records.ok) text += records.value.map((record) => `${record.text}\n`).join('');
    }
  }
  reader.close();
  return text;
}

const filesOf = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');

it('no card is left anywhere on its way, in any encoding', async () => {
  const lines = join(rig.till.folder, 'lines');
  const all = [...plain, ...coded];
  writeFileSync(lines, `${all.map(({ text }) => text).join('\n')}\nthe last line\n`);
  rig.mqttPort = await listenIn(rig.mqttPort);
  rig.configureCommand([process.execPath, '-e', PRINTER, lines]);
  void rig.till.start();
  await rig.till.ready('till');
  const data = join(rig.till.folder, 'data');
  const output = join(data, 'logs', 'till');
  const printed = leaksIn(readFileSync(lines, 'latin1'));
  expect(printed.filter((leak) => leak.endsWith('in a dump'))).toHaveLength(cards.length);
  expect(printed.length, 'all of them are found where they are').toBeGreaterThan(coded.length / 2);

  const id = await rig.ask(ALL);
  const view = await rig.wait('it is answered', id, ({ state }) => state === 'complete');
  const stored = rig.stored(id).toString('latin1');
  expect(stored).toContain('the last line');
  expect(view.redactions, 'the second pass finds nothing').toBe(0);
  expect(stored.match(/\[PAN [a-z]+ \.{4}\d{4}\]/g)?.length).toBeGreaterThan(plain.length);
  expect(leaksIn(stored)).toEqual([]);
  expect(leaksIn(wire)).toEqual([]);
  expect(wire).toContain('the last line');
  expect(leaksIn(journalText(join(data, 'journal')))).toEqual([]);
  expect(leaksIn(filesOf(rig.brokerDir))).toEqual([]);
  await until('Loki has it', () => pushed.includes('the last line'));
  expect(leaksIn(pushed)).toEqual([]);
  await until(
    'the file is emptied behind the component',
    () => leaksIn(filesOf(output)).length === 0,
  );
});
