// The preset dictionary of encoding `deflate`, number 1: what bodies of terminals are made of, so that the
// first body already compresses like the thousandth. FIXED FOR EVER: both sides must have the same bytes,
// and batches lie in outboxes and ledgers for weeks; a test pins its hash. A name that is added to the
// catalogue later is simply not in it; a better dictionary is another encoding with another number. It was
// written in November 2026 from the catalogue (metrics.ts) with the label values of the reference
// terminal, from the kinds of events and from what spans are called, as lines that people can read; the
// bytes are made of them below. What is used most stands last, because near is cheap in deflate.

const WORDS = `
service.name service.version tillwatch.component tillwatch.component.version tillwatch.incident
tillwatch.cause tillwatch.reason tillwatch.rung tillwatch.attempts tillwatch.proofs tillwatch.instance
tillwatch.suppressed_by tillwatch-agent tillwatch-broker suspicion evidence confirmation kill start ready
command.kind command.arguments queue delivery execution result sale.total sale.lines tender print scan
{"bytes":0,"lines":0,"redactions":0,"truncated":false,"sha256":"accepted running succeeded failed expired
ready again
,"evidence":{"proofs":["missed_beats","thread_blocked"],"thread":{"state":"S","cpuMs":,"runDelayMs":
,"voluntarySwitches":},"suspect":{"wallMs":,"pressure":{"cpu":{"some":0,"full":0},"memory":{"some":0,
"full":0},"io":{"some":0,"full":0}},"loadAverage":"","tookMs":,"processes":[{"pid":,"parent":,"comm":
"MainThread","state":"S","wchan":"futex_do_wait","syscall":"202","threads":7,"descriptors":,
"residentBytes":,"cpuMs":,"voluntarySwitches":,"involuntarySwitches":,"threadStates":"S 7","open":{"kinds":
{"file":,"anon_inode":,"pipe":,"socket":"exit":{"signal":"SIGKILL"},"logLines":["{\\"component\\":\\"
\\",\\"level\\":\\"info\\",\\"message\\":\\"\\",\\"timestamp\\":\\"2026-"],"bundle":"-exit.json"}}
gap{"epoch":"","reason":"","stream":"metrics","firstSeq":,"lastSeq":,"fromMs":1,"untilMs":1,"count":
thinned{"fromMs":1,"untilMs":1,"keptEveryMs":60000,"samples":
away{"reason":"link_down gateway_unreachable name_resolution broker_unreachable refused agent_stopped power
unknown","fromMs":1,"untilMs":1,"forMs":
version_changed{"what":"","from":"","to":"","device":"
series_left_out{"names":["
agent_stopping{"reason":"SIGTERM","left":["hardware","sale","sync"]}
agent_started{"version":"0.1.0","node":"24.21.0","bootId":"","adopted":["hardware","sale","sync"],"sendMs":60000}
inventory{"agent":"0.1.0","os":"Linux 6.1.0-amd64","hostname":"till","components":[{"name":"hardware",
"version":"1.0.0","mode":"act"},{"name":"sale","version":"1.0.0","mode":"act"},{"name":"sync",
"version":"1.0.0","mode":"act"}]}
incident_quarantined{"incident":"","cause":"crash","reason":"the process ended by signal SIGSEGV","attempts":
recovery_outcome{"incident":"","rung":"restart","cause":"hang","held":true,"afterMs":,"reason":"it has been
ready for its stable time"}
recovery{"incident":"","rung":"restart","cause":"hang","reason":"","signature":"hang: main thread is blocked:
no beat for n s and it is asleep without waking","signature":"crash: the process ended by signal SIGKILL"}
incident_recovered{"incident":"","cause":"hang","detectedMs":2,"readyMs":2,"attempts":1}
incident_opened{"incident":"","cause":"crash","reason":"the process ended with code 1","version":"1.0.0"
component_state{"from":"stopping","to":"stopped","reason":"it ended as asked","version":"1.0.0"}
component_state{"from":"ready","to":"suspect","reason":"main thread is blocked: no beat for 1.0 s and it is
asleep without waking","version":"1.0.0","cause":"hang","instance":"","pid":
component_state{"from":"suspect","to":"stopping","reason":"; restarted at once
component_state{"from":"stopped","to":"starting","reason":"the agent starts it","version":"1.0.0"}
component_state{"from":"starting","to":"ready","reason":"it said that it is ready","version":"1.0.0","instance":"
`;

/** A name, then labels; `a|b` stands for one series with each. Sometimes there: */
const RARE = `
app_http_request_duration_seconds_bucket component=hardware|sale|sync le=+Inf|0.005|0.01|0.025|0.05|0.1|0.25|0.5|1|10|2.5|5
app_http_request_duration_seconds_count component=hardware|sale|sync
app_http_request_duration_seconds_sum component=hardware|sale|sync
app_nodejs_active_handles component=hardware|sale|sync type=Socket
app_nodejs_eventloop_lag_seconds component=hardware|sale|sync
app_nodejs_heap_size_used_bytes component=hardware|sale|sync
app_process_cpu_seconds_total component=hardware|sale|sync
app_process_open_fds component=hardware|sale|sync
app_process_resident_memory_bytes component=hardware|sale|sync
app_process_start_time_seconds component=hardware|sale|sync
app_up component=hardware|sale|sync
pos_component_failures_total cause=dependency|memory|self_reported|stalled|start_timeout|unresponsive|upgrade component=hardware|sale|sync version=1.0.0
pos_component_mode component=hardware|sale|sync mode=observe
pos_component_restarts_total cause=memory|operator|self_reported|stalled|start_timeout|unresponsive|upgrade component=hardware|sale|sync version=1.0.0
pos_device_errors_total code=E_FAILURE|E_NOHARDWARE|E_OFFLINE|E_TIMEOUT component=hardware device=drawer|printer|scale|scanner version=1.0.0
pos_device_state component=hardware device=display|drawer|scale|scanner state=BUSY|CLOSED|ERROR|IDLE
pos_drawer_open component=hardware device=drawer
pos_host_network_errors_total direction=received|sent
pos_print_jobs_total component=hardware device=printer result=failed version=1.0.0
pos_redactions_total kind=iban|pan|track where=event|journal
pos_scale_unstable_seconds_total component=hardware device=scale
pos_scanner_good_scan_total component=hardware device=scanner
pos_transactions_total component=sale result=failed|voided version=1.0.0
tillwatch_agent_events_dropped_total
tillwatch_agent_sign_failures_total watcher=systemd
tillwatch_away_seconds_total reason=agent_stopped|broker_unreachable|gateway_unreachable|link_down|name_resolution|power|refused|unknown
tillwatch_channel_rejected_total reason=token
tillwatch_commands_total state=accepted|expired|failed|rejected|running|succeeded
tillwatch_link_garbage_total
tillwatch_outbox_damaged_total
tillwatch_outbox_dropped_total reason=quota stream=events|metrics|traces
tillwatch_outbox_held
tillwatch_outbox_refused_total stream=metrics
tillwatch_outbox_thinned_total
tillwatch_recovery_outcome_total component=hardware|sale|sync outcome=failed|held rung=restart
tillwatch_recovery_suppressed_total cause=hang component=hardware|sale|sync rung=restart
tillwatch_recovery_total cause=crash|hang component=hardware|sale|sync rung=restart
tillwatch_scrape_failures_total component=hardware|sale|sync
tillwatch_series_dropped_total component=hardware|sale|sync
tillwatch_spans_dropped_total reason=room
`;

/**
 * And what every till always sends, in the order of metric-body.ts. Behind `#`: the decimals and first values that are
 * usual, in turn; without it whole and 0.
 */
const ALWAYS = `
pos_agent_info node=24.21.0 version=0.1.0 #0:1
pos_agent_starts_total #0:1
pos_basket_open component=sale
pos_clock_offset_seconds #3:0
pos_component_beat_age_seconds component=hardware|sale|sync #4:5000
pos_component_cpu_seconds_total component=hardware|sale|sync #2:0
pos_component_descriptors component=hardware|sale|sync #0:28
pos_component_failures_total cause=crash|hang component=hardware|sale|sync version=1.0.0
pos_component_info component=hardware|sale|sync version=1.0.0 #0:1
pos_component_loop_delay_max_seconds component=hardware|sale|sync #4:0
pos_component_mode component=hardware|sale|sync mode=act #0:1
pos_component_operational_seconds_total component=hardware|sale|sync version=1.0.0 #0:0
pos_component_resident_bytes component=hardware|sale|sync
pos_component_restarts_total cause=crash|hang component=hardware|sale|sync version=1.0.0
pos_component_stable_seconds_total component=hardware|sale|sync version=1.0.0
pos_component_state component=hardware|sale|sync state=backoff|quarantined|ready|starting|stopped|stopping|suspect #0:0,0,1,0,0,0,0
pos_component_up component=hardware|sale|sync #0:1
pos_component_work_in_flight component=hardware|sale|sync
pos_dataset_age_seconds component=sync dataset=price #3:0
pos_dataset_version_info component=sync dataset=price version=1 #0:1
pos_device_communication_errors_total component=hardware device=printer
pos_device_info component=hardware device=printer firmware= model= #0:1
pos_device_power_state component=hardware device=printer #0:2001
pos_device_probe_seconds component=hardware device=printer #4:0
pos_device_reopen_total component=hardware device=printer
pos_device_state component=hardware device=printer state=BUSY|CLOSED|ERROR|IDLE #0:0,0,0,1
pos_host_cpu_ratio #4:0
pos_host_disk_bytes_total direction=read|written
pos_host_filesystem_bytes state=available|used
pos_host_filesystem_free_ratio mount=/ #4:0
pos_host_filesystem_readonly mount=/
pos_host_info kernel=6.1.0 model= os=linux #0:1
pos_host_load1 #2:0
pos_host_memory_bytes state=available|used
pos_host_network_bytes_total direction=received|sent
pos_host_pressure_ratio resource=cpu|io|memory #4:0
pos_host_temperature_celsius #1:450
pos_host_uptime_seconds
pos_lane_state component=sale state=closed|locked|offline|open|training #0:0,0,0,1,0
pos_last_transaction_timestamp_seconds component=sale #3:0
pos_outbox_acked_total component=sync version=1.0.0
pos_outbox_dead_letter component=sync
pos_outbox_depth component=sync
pos_outbox_oldest_age_seconds component=sync
pos_print_jobs_total component=hardware device=printer result=done version=1.0.0
pos_print_queue_depth component=hardware device=printer
pos_printer_cover_open component=hardware device=printer
pos_printer_paper component=hardware device=printer state=end|near_end
pos_receipts_pending component=sale
pos_tender_in_doubt component=sale
pos_transactions_total component=sale result=completed version=1.0.0
pos_uplink_up component=sync #0:1
tillwatch_agent_cpu_seconds_total #2:0
tillwatch_agent_loop_delay_max_seconds #4:0
tillwatch_agent_pauses_total
tillwatch_agent_resident_bytes
tillwatch_agent_written_bytes_total
tillwatch_disk_level level=normal #0:1
tillwatch_evidence_bytes
tillwatch_evidence_dropped_total
tillwatch_hold
tillwatch_journal_bytes component=hardware|sale|sync #0:4096
tillwatch_link_connects_total #0:1
tillwatch_link_failures_total
tillwatch_link_up #0:1
tillwatch_outbox_batches stream=events|metrics|results|traces
tillwatch_outbox_bytes #0:8192
tillwatch_outbox_kept_bytes
tillwatch_series #0:120
`;

const field = (tag: number, value: string): string =>
  `${String.fromCharCode(tag, value.length)}${value}`;

/** The same bytes as field 2 of MetricBody: a series with name and labels. All of it is ASCII. */
function headOf(name: string, labels: readonly string[]): string {
  const head = field(10, name) + labels.map((text) => field(18, text)).join('');
  return field(18, head);
}

/** One line as heads: the first label varies slowest, as in sorted order. */
function headsOf(line: string): string {
  const [name = '', ...labels] = line.split(' ');
  let mixes: string[][] = [[]];
  for (const label of labels) {
    const [key = '', values = ''] = label.split('=');
    mixes = mixes.flatMap((mix) => values.split('|').map((value) => [...mix, key, value]));
  }
  return mixes.map((mix) => headOf(name, mix)).join('');
}

const linesOf = (lines: string): string[] => lines.trim().split('\n');
const heads = (lines: string): string =>
  linesOf(lines)
    .map((line) => headsOf(line.replace(/ #.*/, '')))
    .join('');

/** As in metric-bytes.ts: a whole number from 0 to 2^20, zigzag. */
function signed(value: number): string {
  const bytes: number[] = [];
  let rest = value * 2;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return String.fromCharCode(...bytes, rest);
}

/** How often values travel together: four instants to a minute. */
const STILL = '\0\0\0';

/** Fields 3 and 4 of MetricBody for a minute in which nothing happens. */
function valuesOf(lines: string): string {
  let forms = '';
  let deltas = '';
  for (const line of linesOf(lines)) {
    const [names = '', usual = '0:0'] = line.split(' #');
    const [decimals = '', firsts = ''] = usual.split(':');
    const turns = firsts.split(',');
    const count = names.split(' ').reduce((mixes, label) => mixes * label.split('|').length, 1);
    for (let i = 0; i < count; i += 1) {
      forms += String.fromCharCode(1 + Number(decimals));
      deltas += signed(Number(turns[i % turns.length])) + STILL;
    }
  }
  return `\x1a${forms}\x22${deltas}`;
}

let made: Buffer | undefined;

/** Made when it is first needed: an agent that only starts has no use for it. */
export function dictionary(): Uint8Array {
  const text = (): string =>
    WORDS.replaceAll('\n', '') + heads(RARE) + heads(ALWAYS) + valuesOf(ALWAYS);
  made ??= Buffer.from(text(), 'latin1');
  return made;
}
