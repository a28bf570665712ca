import { expect, test } from 'vitest';
import { rounded } from '../../agent/telemetry/rounded.ts';

test.each([
  ['pos_component_beat_age_seconds', 0.29793612800000013, 0.2979],
  ['pos_component_cpu_seconds_total', 12.34567, 12.3457],
  ['pos_host_cpu_ratio', 0.13131313131313133, 0.1313],
  ['pos_host_load1', 0.4999, 0.5],
  ['pos_host_temperature_celsius', 48.25, 48.3],
  ['pos_host_memory_bytes', 1.5, 1.5],
  ['pos_host_uptime_seconds', 77, 77],
])('%s: %d is told as %d', (name, value, told) => {
  expect(rounded({ name, labels: {}, value }).value).toBe(told);
});
