// What the registry says of a terminal's devices, from samples alone.

import { describe, expect, it } from 'vitest';
import { readSnapshot } from '../../broker/fleet/components.ts';
import { DEVICES_MAX } from '../../broker/fleet/devices.ts';
import { newTerminal, type TerminalModel } from '../../broker/fleet/model.ts';
import { viewOf } from '../../broker/fleet/view.ts';
import type { Sample } from '../../protocol/metric-body.ts';

const of = (name: string, value: number, labels: Record<string, string> = {}): Sample => ({
  name,
  value,
  labels: { component: 'hardware', device: 'printer', ...labels },
});
const devices = (model: TerminalModel) => viewOf(model, 0).devices;
const fresh = newTerminal('lane-1', 'store-1', true);

describe('devices in the fleet view', () => {
  it('say that the paper is out, and forget it when a new roll is in', () => {
    const out = readSnapshot(
      fresh,
      [of('pos_device_state', 1, { state: 'error' }), of('pos_printer_paper', 1, { state: 'end' })],
      1_000,
    );
    expect(devices(out)).toEqual([
      {
        component: 'hardware',
        device: 'printer',
        state: 'error',
        troubles: ['out of paper'],
        atMs: 1_000,
      },
    ]);
    const full = readSnapshot(
      out,
      [
        of('pos_device_state', 0, { state: 'error' }),
        of('pos_device_state', 1, { state: 'idle' }),
        of('pos_printer_paper', 0, { state: 'end' }),
      ],
      2_000,
    );
    expect(devices(full)).toMatchObject([{ state: 'idle', troubles: [] }]);
  });

  it('keep several troubles apart', () => {
    const model = readSnapshot(
      fresh,
      [
        of('pos_printer_paper', 1, { state: 'near_end' }),
        of('pos_printer_cover_open', 1),
        of('pos_device_power_state', 2003),
      ],
      1_000,
    );
    expect(devices(model)[0]?.troubles).toEqual(['paper near end', 'cover open', 'offline']);
    const mended = readSnapshot(model, [of('pos_device_power_state', 2001)], 2_000);
    expect(devices(mended)[0]?.troubles).toEqual(['paper near end', 'cover open']);
  });

  it('without a name are nothing, and too many are not remembered', () => {
    const nameless = readSnapshot(fresh, [of('pos_printer_cover_open', 1, { device: '' })], 1_000);
    expect(devices(nameless)).toEqual([]);
    const many = Array.from({ length: DEVICES_MAX + 5 }, (_, i) =>
      of('pos_printer_cover_open', 1, { device: `printer-${i}` }),
    );
    expect(devices(readSnapshot(fresh, many, 1_000))).toHaveLength(DEVICES_MAX);
  });
});
