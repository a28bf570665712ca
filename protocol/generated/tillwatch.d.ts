// Types of the part of the generated codec that protocol/wire.ts uses. `npm run generate` makes the
// code beside this file from protocol/tillwatch.proto; a test holds the two against each other.

interface Writer {
  finish(): Uint8Array;
}
interface Codec {
  encode(message: object): Writer;
  decode(bytes: Uint8Array): Record<string, unknown>;
}
export declare const tillwatch: {
  v1: Record<
    | 'Batch'
    | 'MetricBody'
    | 'TracesData'
    | 'EventBody'
    | 'ResultBody'
    | 'Ack'
    | 'SignedCommand'
    | 'Command'
    | 'LogChunk',
    Codec
  >;
};
