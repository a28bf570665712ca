// Every size on the wire has a name and stands here; agent and broker both check it, the one before
// it sends and the other before it decodes.

/** Largest MQTT packet the broker reads (remaining length of the fixed header). */
export const PACKET_BYTES_MAX = 256 * 1024;
/** Largest encoded `Batch`; leaves room for topic and headers in a packet. */
export const BATCH_BYTES_MAX = 192 * 1024;
/** A batch's body after decompression; a small batch cannot become a large allocation. */
export const BODY_BYTES_MAX = 2 * 1024 * 1024;
/** A live batch is sealed at this size of its raw samples at the latest (design.md, Delivery). */
export const SEAL_BYTES = 48 * 1024;
/** Samples of at most this long go into one batch when catching up. */
export const SEAL_SPAN_MS = 10 * 60_000;
/** Batches sent and not yet acknowledged, over all streams (research/mqtt.md 2: 4 to 16 is enough). */
export const WINDOW_BATCHES = 16;

export const SERIES_PER_TERMINAL_MAX = 150;
export const SERIES_PER_BODY_MAX = 2_000;
export const SAMPLES_PER_BODY_MAX = 200_000;
export const INSTANTS_PER_BODY_MAX = 1_000;
export const LABELS_PER_SERIES_MAX = 12;
export const NAME_CHARS_MAX = 128;
export const LABEL_CHARS_MAX = 256;

export const EVENTS_PER_BODY_MAX = 256;
export const EVENT_JSON_CHARS_MAX = 32 * 1024;
/** Levels of arrays and objects in JSON from the wire; evidence has about five. */
export const JSON_DEPTH_MAX = 32;
export const RESULTS_PER_BODY_MAX = 64;

export const SPANS_PER_BODY_MAX = 256;
/** One span as it travels; a channel line that carries one is no longer than this either. */
export const SPAN_BYTES_MAX = 8 * 1024;
export const SPAN_ATTRIBUTES_MAX = 64;
export const SPAN_EVENTS_MAX = 64;

export const COMMAND_BYTES_MAX = 16 * 1024;
/** A fleet configuration as its author wrote it, and packed and in base64 as it travels in a command. */
export const CONFIGURATION_BYTES_MAX = 256 * 1024;
export const CONFIGURATION_PACKED_CHARS_MAX = 12_000;
/** So long a till may take until everything that was ready is ready again under a new configuration. */
export const CONFIGURATION_READY_MS = 2 * 60_000;
export const CONFIGURATION_READY_MS_MAX = 60 * 60_000;
/** What a terminal trusts at one time: two of each while one replaces the other. */
export const AUTHORITIES_MAX = 3;
export const COMMAND_KEYS_MAX = 8;
/** A diagnosis as it leaves the terminal, compressed. */
export const DIAGNOSIS_BYTES_MAX = 2 * 1024 * 1024;
export const REASON_CHARS_MAX = 500;
/** Of a maintenance that somebody starts, or that repeats (issued as a hold). */
export const MAINTENANCE_MS_MAX = 4 * 3_600_000;
/** Of a store or a terminal. */
export const OWN_LABELS_MAX = 32;
export const ACK_BYTES_MAX = 64 * 1024;
export const ACK_RANGES_MAX = 1_000;

/** A chunk of log lines as it travels, compressed: at 1 Mbit/s it holds a live batch up for 0.4 s. */
export const LOG_CHUNK_BYTES_MAX = 48 * 1024;
/** The same before compression. */
export const LOG_CHUNK_RAW_BYTES_MAX = 256 * 1024;
/** Chunks sent and not acknowledged (research/mqtt.md 9). */
export const LOG_WINDOW_CHUNKS = 4;
/** The same on a line that takes them in an eighth of a second, to a broker that gives credits for so many. */
export const LOG_WINDOW_QUICK_CHUNKS = 12;
export const LOG_COMPONENTS_MAX = 16;
/** Of one request's answer, unless it says less or more. */
export const LOG_ANSWER_BYTES = 5 * 1024 * 1024;
export const LOG_ANSWER_BYTES_MAX = 256 * 1024 * 1024;
/** Of a text or a regular expression to look for. */
export const LOG_PATTERN_CHARS_MAX = 1_000;
/** Records before and behind each that was looked for. */
export const LOG_CONTEXT_MAX = 100;
/** Of `last`: records counted from the newest. */
export const LOG_LAST_MAX = 1_000_000;
/** A search ends after this, with what it has found, unless it says less or more. */
export const LOG_SEARCH_MS = 60_000;
export const LOG_SEARCH_MS_MAX = 15 * 60_000;
/** A live tail ends by itself. */
export const TAIL_MS_MAX = 60 * 60_000;
export const TAIL_MS = 10 * 60_000;
/** Terminals that one request for logs may ask. */
export const LOG_TERMINALS_MAX = 50;

/** Kinds of errors that a terminal tells apart; the rest is counted (protocol/signatures.ts). */
export const SIGNATURES_MAX = 50;
export const SIGNATURE_CHARS_MAX = 300;
export const SAMPLE_CHARS_MAX = 2_000;

/** One line on the component channel (design.md, Component channel). */
export const CHANNEL_LINE_BYTES_MAX = 8 * 1024;
/** Unix socket paths end at 108 bytes on Linux [unix(7)]; 100 leaves room for a temporary suffix. */
export const SOCKET_PATH_BYTES_MAX = 100;
