// Lines as real loggers print them, and what is read from them. Times without a zone are the terminal's own.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLine, readRecord } from '../../agent/logs/formats/index.ts';

const UTC = Date.UTC(2026, 10, 23, 10, 0, 0, 123);
const LOCAL = new Date(2026, 10, 23, 10, 0, 0, 123).getTime();
const SECOND = new Date(2026, 10, 23, 10, 0, 0).getTime();
/** Read some minutes later. */
const NEAR = new Date(2026, 10, 23, 10, 20).getTime();
const EPOCH = '1795428000123';

type Row = readonly [
  logger: string,
  line: string,
  timeMs: number | undefined,
  level: string | undefined,
];

const ROWS: readonly Row[] = [
  [
    'winston JSON',
    '{"level":"info","message":"basket open","timestamp":"2026-11-23T10:00:00.123Z"}',
    UTC,
    'info',
  ],
  [
    'winston JSON, coloured',
    '{"level":"\\u001b[31merror\\u001b[39m","message":"x","timestamp":"2026-11-23T10:00:00.123Z"}',
    UTC,
    'error',
  ],
  ['winston simple', 'warn: the printer is slow {"ms":2000}', undefined, 'warn'],
  ['winston printf', '2026-11-23T10:00:00.123Z error the printer is gone', UTC, 'error'],
  [
    'winston printf with a bracket',
    '2026-11-23T10:00:00.123Z [error]: the printer is gone',
    UTC,
    'error',
  ],
  ['winston splat', '2026-11-23 10:00:00.123 [sale] error: gone', LOCAL, 'error'],
  [
    'pino',
    `{"level":30,"time":${EPOCH},"pid":7,"hostname":"till","msg":"ready"}`,
    Number(EPOCH),
    'info',
  ],
  ['pino fatal', `{"level":60,"time":${EPOCH},"msg":"out"}`, Number(EPOCH), 'error'],
  ['pino debug', `{"level":20,"time":${EPOCH},"msg":"in"}`, Number(EPOCH), 'debug'],
  ['pino-pretty', '[10:00:00.123] INFO (7): ready', LOCAL, 'info'],
  [
    'bunyan',
    '{"name":"sale","hostname":"till","pid":1,"level":40,"msg":"x","time":"2026-11-23T10:00:00.123Z","v":0}',
    UTC,
    'warn',
  ],
  [
    'zap',
    '{"level":"warn","ts":1795428000.123,"caller":"a.go:1","msg":"x"}',
    Number(EPOCH),
    'warn',
  ],
  ['zap console', '2026-11-23T10:00:00.123Z\tWARN\tsale/a.go:12\tslow', UTC, 'warn'],
  [
    'slog JSON',
    '{"time":"2026-11-23T11:00:00.123456789+01:00","level":"ERROR","msg":"x"}',
    UTC,
    'error',
  ],
  [
    'slog text',
    'time=2026-11-23T10:00:00.123Z level=DEBUG msg="tender taken" total=12',
    UTC,
    'debug',
  ],
  ['logrus', 'time="2026-11-23T10:00:00Z" level=warning msg="x y"', UTC - 123, 'warn'],
  ['logfmt of others', 'ts=2026-11-23T10:00:00.123Z caller=a.go lvl=eror msg=boom', UTC, 'error'],
  [
    'logfmt, level first',
    'level=info component=sync ts=1795428000.123 msg=ok',
    Number(EPOCH),
    'info',
  ],
  ['Go log', '2026/11/23 10:00:00 listening on :80', SECOND, undefined],
  ['glog', 'E1123 10:00:00.123456    1234 printer.cc:41] no paper', LOCAL, 'error'],
  ['klog info', 'I1123 10:00:00.123456       1 main.go:9] up', LOCAL, 'info'],
  ['log4j', '2026-11-23 10:00:00,123 [main] ERROR com.till.Sale - no paper', LOCAL, 'error'],
  ['log4j, level first', '2026-11-23 10:00:00,123 WARN  [sale-1] com.till.Sale: x', LOCAL, 'warn'],
  [
    'log4j 1, level before the time',
    'ERROR 2026-11-23 10:00:00,123 [main] Sale - x',
    LOCAL,
    'error',
  ],
  ['log4j ISO basic', '20261123T100000,123 INFO x', LOCAL, 'info'],
  [
    'log4j2 JSON',
    '{"instant":{"epochSecond":1795428000,"nanoOfSecond":123000000},"thread":"main","level":"WARN","message":"x"}',
    Number(EPOCH),
    'warn',
  ],
  [
    'log4j JSON',
    `{"timeMillis":${EPOCH},"thread":"main","level":"FATAL","message":"x"}`,
    Number(EPOCH),
    'error',
  ],
  [
    'Logstash encoder',
    '{"@timestamp":"2026-11-23T10:00:00.123Z","@version":"1","message":"x","level":"TRACE","level_value":5000}',
    UTC,
    'debug',
  ],
  [
    'ECS',
    '{"@timestamp":"2026-11-23T10:00:00.123Z","log.level":"ERROR","message":"x","ecs.version":"1.2.0"}',
    UTC,
    'error',
  ],
  [
    'ECS, nested',
    '{"@timestamp":"2026-11-23T10:00:00.123Z","log":{"level":"warn"},"message":"x"}',
    UTC,
    'warn',
  ],
  ['Spring Boot', '2026-11-23T11:00:00.123+01:00  INFO 4711 --- [main] c.t.Sale : up', UTC, 'info'],
  ['Logback', '10:00:00.123 [main] DEBUG com.till.Sale - x', LOCAL, 'debug'],
  ['java.util.logging', 'Nov 23, 2026 10:00:00 AM com.till.Sale run', SECOND, undefined],
  [
    'java.util.logging, one line',
    '2026-11-23 10:00:00.123 SEVERE com.till.Sale run: x',
    LOCAL,
    'error',
  ],
  ['Python', '2026-11-23 10:00:00,123 - till.sale - ERROR - no paper', LOCAL, 'error'],
  ['Python, other order', '2026-11-23 10:00:00,123 WARNING till.sale: x', LOCAL, 'warn'],
  ['Python basicConfig', 'ERROR:root:no paper', undefined, 'error'],
  ['Python warnings', 'WARNING:till:x', undefined, 'warn'],
  [
    'Python JSON',
    '{"asctime":"2026-11-23 10:00:00,123","levelname":"CRITICAL","message":"x"}',
    LOCAL,
    'error',
  ],
  ['Python levelno', '{"levelno":20,"msg":"x"}', undefined, 'info'],
  ['loguru', '2026-11-23 10:00:00.123 | WARNING  | sale:run:41 - x', LOCAL, 'warn'],
  ['structlog', '2026-11-23 10:00:00 [warning  ] slow   ms=7', SECOND, 'warn'],
  ['.NET console', 'fail: Till.Sale[0]', undefined, 'error'],
  ['.NET console, debug', 'dbug: Till.Sale[0]', undefined, 'debug'],
  ['.NET, with time', '2026-11-23 10:00:00.123 warn: Till.Sale[0]', LOCAL, 'warn'],
  [
    '.NET JSON',
    '{"Timestamp":"2026-11-23T10:00:00.123Z","EventId":0,"LogLevel":"Information","Message":"x"}',
    UTC,
    'info',
  ],
  ['Serilog', '2026-11-23 10:00:00.123 +00:00 [INF] x', UTC, 'info'],
  ['Serilog console', '[10:00:00 ERR] x', SECOND, 'error'],
  [
    'Serilog compact',
    '{"@t":"2026-11-23T10:00:00.1230000Z","@mt":"x {Y}","@l":"Fatal","Y":1}',
    UTC,
    'error',
  ],
  ['NLog', '2026-11-23 10:00:00.1234|ERROR|Till.Sale|x', LOCAL, 'error'],
  ['log4net', '2026-11-23 10:00:00,123 [12] WARN  Till.Sale [(null)] - x', LOCAL, 'warn'],
  ['syslog', '<11>Nov 23 10:00:00 till1 sale[12]: no paper', SECOND, 'error'],
  ['syslog 5424', '<12>1 2026-11-23T10:00:00.123Z till1 sale 12 - - slow', UTC, 'warn'],
  ['syslog without a number', 'Nov 23 10:00:00 till1 sale[12]: up', SECOND, undefined],
  ['systemd', '<3>no paper', undefined, 'error'],
  [
    'GELF',
    '{"version":"1.1","host":"till","short_message":"x","timestamp":1795428000.123,"level":3}',
    Number(EPOCH),
    'error',
  ],
  [
    'Docker',
    '{"log":"hello","stream":"stderr","time":"2026-11-23T10:00:00.123456789Z"}',
    UTC,
    undefined,
  ],
  [
    'Cloud',
    '{"severity":"NOTICE","timestamp":"2026-11-23T10:00:00.123Z","message":"x"}',
    UTC,
    'info',
  ],
  [
    'OpenTelemetry',
    '{"timestamp":"1795428000123000000","severityText":"WARN","body":"x"}',
    Number(EPOCH),
    'warn',
  ],
  ['Rust env_logger', '[2026-11-23T10:00:00Z WARN  till::sale] slow', UTC - 123, 'warn'],
  ['Rust tracing', '2026-11-23T10:00:00.123456Z ERROR till::sale: x', UTC, 'error'],
  ['nginx', '2026/11/23 10:00:00 [error] 12#12: *1 open() failed', SECOND, 'error'],
  ['Apache', '[Mon Nov 23 10:00:00.123456 2026] [core:warn] [pid 12] x', LOCAL, 'warn'],
  ['PostgreSQL', '2026-11-23 10:00:00.123 UTC [12] FATAL:  no', UTC, 'error'],
  ['Redis', '12:M 23 Nov 2026 10:00:00.123 * Ready', undefined, undefined],
  ['Windows event', 'Error\t23/11/2026 10:00:00\tPrinter\t1000\tNone', SECOND, 'error'],
  ['Windows event, American', 'Warning 11/23/2026 10:00:00 AM Printer 12', SECOND, 'warn'],
  ['Windows event, informational', 'Information 2026-11-23 10:00:00 Service 7036', SECOND, 'info'],
  ['German', '23.11.2026 10:00:00,123 FEHLER Drucker', LOCAL, 'error'],
  ['German, short year', '23.11.26 10:00:00 Kasse bereit', SECOND, undefined],
  ['French', '23/11/2026 10:00:00 INFO prêt', SECOND, 'info'],
  ['British, a named month', '23 Nov 2026 10:00:00 ready', SECOND, undefined],
  ['Oracle', '23-NOV-2026 10:00:00.123 ready', LOCAL, undefined],
  ['Dutch', '23-11-2026 10:00:00 klaar', SECOND, undefined],
  ['afternoon', '11/23/2026 10:00:00 PM late', SECOND + 12 * 3_600_000, undefined],
  ['Unix date', 'Mon Nov 23 10:00:00 UTC 2026 started', UTC - 123, undefined],
  ['Japanese', '2026/11/23 10:00:00.123 [INFO] ready', LOCAL, 'info'],
  ['epoch, s', '1795428000 INFO up', Number(EPOCH) - 123, 'info'],
  ['epoch, s with a fraction', '1795428000.123 up', Number(EPOCH), undefined],
  ['epoch, ms', `${EPOCH} [WARN] slow`, Number(EPOCH), 'warn'],
  ['epoch, us', '1795428000123456 E slow', Number(EPOCH), undefined],
  ['epoch, ns', '1795428000123456789 ERROR slow', Number(EPOCH), 'error'],
  ['time in brackets', '[2026-11-23 10:00:00.123] [ERROR] [sale] x', LOCAL, 'error'],
  ['level in brackets first', '[ERROR] 2026-11-23 10:00:00.123 x', LOCAL, 'error'],
  ['thread first', '[main] 2026-11-23 10:00:00.123 ERROR x', LOCAL, 'error'],
  ['plain', 'ERROR no paper', undefined, 'error'],
  ['plain, letter in brackets', '[W] slow', undefined, 'warn'],
  ['JavaScript error', 'TypeError: x is not a function', undefined, undefined],
  ['Error of JavaScript', 'Error: no paper', undefined, 'error'],
  [
    'JSON that is cut',
    '{"timestamp":"2026-11-23T10:00:00.123Z","level":"warn","message":"a ver',
    UTC,
    'warn',
  ],
  ['a sentence', 'the error was not found', undefined, undefined],
  [
    'a sentence behind a time',
    '2026-11-23T10:00:00.123Z the printer has an error today',
    UTC,
    undefined,
  ],
  ['a word that only begins so', 'Informative text', undefined, undefined],
  ['a receipt number', '12345678901234567890 sold', undefined, undefined],
  ['an article number', '4006381333931 Stabilo 1.99', undefined, undefined],
  ['a price', '12.99 EUR', undefined, undefined],
  ['an address', '192.168.1.10 connected', undefined, undefined],
  ['JSON without either', '{"sku":"4006381333931"}', undefined, undefined],
  ['JSON that is no object', '[1,2,3]', undefined, undefined],
  ['nothing', '', undefined, undefined],
  ['a frame', '    at Sale.run (sale.js:41)', undefined, undefined],
];

describe('a line says when and how serious', () => {
  it.each(ROWS)('%s: %s', (_logger, line, timeMs, level) => {
    const said = readLine(line, NEAR);
    expect({ timeMs: said.timeMs, level: said.level }).toEqual({ timeMs, level });
  });

  it('takes an ambiguous date for what is near, and for nothing when it does not know', () => {
    const third = new Date(2026, 3, 3, 10).getTime();
    expect(readLine('03/04/2026 10:00:00 x').timeMs).toBeUndefined();
    expect(readLine('03/04/2026 10:00:00 x', third).timeMs).toBe(third);
    const march = new Date(2026, 2, 4, 10).getTime();
    expect(readLine('03/04/2026 10:00:00 x', march + 1000).timeMs).toBe(march);
    expect(readLine('04/04/2026 10:00:00 x').timeMs).toBe(new Date(2026, 3, 4, 10).getTime());
    expect(readLine('26/04/05 10:00:00 x', new Date(2026, 3, 5, 11).getTime()).timeMs).toBe(
      new Date(2026, 3, 5, 10).getTime(),
    );
  });

  it('takes a time without a year or a day for the one that is nearest', () => {
    const newYear = new Date(2027, 0, 1, 0, 5).getTime();
    const eve = new Date(2026, 11, 31, 23, 59, 58).getTime();
    expect(readLine('Dec 31 23:59:58 till sale: x', newYear).timeMs).toBe(eve);
    expect(readLine('23:59:58 INFO x', newYear).timeMs).toBe(eve);
    expect(readLine('I1231 23:59:58.000000 1 a.go:1] x', newYear).timeMs).toBe(eve);
    expect(readLine('Dec 31 23:59:58 till sale: x').timeMs).toBeUndefined();
  });

  it('tells what is said apart from when and how serious', () => {
    expect(readLine('2026-11-23 10:00:00,123 [main] ERROR com.till.Sale - no paper').message).toBe(
      'com.till.Sale - no paper',
    );
    expect(readLine('2026-11-23T10:00:00.123Z error the printer is gone').message).toBe(
      'the printer is gone',
    );
    expect(readLine('level=info msg="two words" a=b').message).toBe('two words');
    expect(readLine('{"level":30,"msg":"ready"}').message).toBe('ready');
    expect(readLine('no time, no level').message).toBeUndefined();
  });

  it('costs nearly nothing for what is long', () => {
    const long = [
      `${'['.repeat(100_000)}`,
      `<${'1'.repeat(100_000)}`,
      `${'a'.repeat(100_000)}=`,
      `2026-11-23T10:00:00Z ${'x '.repeat(50_000)}`,
      `{"time":${'"'.repeat(100_000)}`,
      `msg="${'\\"'.repeat(50_000)}`,
      `Nov ${' '.repeat(100_000)}`,
      `[${' ]'.repeat(50_000)}`,
      ' '.repeat(100_000),
    ];
    const from = performance.now();
    for (const line of long) for (let n = 0; n < 10; n += 1) readLine(line, NEAR);
    expect(performance.now() - from).toBeLessThan(2_000);
  });
});

describe('whatever a line is', () => {
  const pieces = fc.constantFrom(
    ...ROWS.flatMap(([, line]) => line.split(/(?=[ ,:[\]|"{}=])/)),
    ...['\t', '  ', '<', '\ud83e', '9'.repeat(30), '{"time":', '-', '\u2402'],
  );
  it('is read without an error, and a time is one of this century', () => {
    const lines = fc.array(fc.oneof(pieces, fc.string()), { maxLength: 20 });
    fc.assert(
      fc.property(lines, fc.option(fc.integer(), { nil: undefined }), (all, nearMs) => {
        const { timeMs, message } = readLine(all.join(''), nearMs);
        const earliest = Date.UTC(1999, 11, 31);
        if (timeMs !== undefined) expect(timeMs >= earliest && timeMs < Date.UTC(2101)).toBe(true);
        expect(typeof (message ?? '')).toBe('string');
        readRecord(all.join('\n'), nearMs);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a record says what its first line says', () => {
  it('or the line below a head that is one of two lines', () => {
    const jul = 'Nov 23, 2026 10:00:00 AM com.till.Sale run\nSEVERE: no paper';
    expect(readRecord(jul)).toMatchObject({ timeMs: SECOND, level: 'error' });
  });

  it('or the whole of it, for JSON over several lines', () => {
    const json = JSON.stringify({ time: Number(EPOCH), level: 50, msg: 'x' }, undefined, 2);
    expect(readRecord(json)).toEqual({ timeMs: Number(EPOCH), level: 'error', message: 'x' });
  });

  it('but never what stands further back', () => {
    expect(readRecord('no head\nERROR: x')).toEqual({});
  });
});
