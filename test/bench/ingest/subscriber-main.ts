// Stands behind Mosquitto as an ingest would: subscribes to everything that terminals send, answers each
// with a PUBACK and does nothing else. Says at SIGTERM how many it got.

import { connect } from 'node:net';
import { generate } from 'mqtt-packet';
import { readPackets } from './packets.ts';

const PUBLISH = 3;
const SUBACK = 9;
let got = 0;
let rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);
const socket = connect({ host: '127.0.0.1', port: Number(process.argv[2]), noDelay: true });
socket.on('error', (error) => {
  throw error;
});
socket.on('data', (chunk) => {
  const answers: number[] = [];
  rest = readPackets(rest, chunk, (type, packet) => {
    if (type === SUBACK) process.stdout.write(`${JSON.stringify({ port: 0 })}\n`);
    if (type !== PUBLISH) return;
    const idAt = 2 + packet.readUInt16BE(0);
    answers.push(0x40, 2, packet[idAt] ?? 0, packet[idAt + 1] ?? 0);
  });
  got += answers.length / 4;
  if (answers.length > 0) socket.write(Buffer.from(answers));
});
const head = { protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60 } as const;
socket.write(generate({ cmd: 'connect', clientId: 'ingest', ...head }));
const subscriptions = [{ topic: 'tillwatch/1/+/up/#', qos: 1 as const }];
socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify({ got })}\n`);
  process.exit(0);
});
