// What ails a terminal's devices, from the newest samples of the component that drives them. Paper and
// covers are no fault of a process, so no state of a component and no restart ever tells of them; without
// this, a person at the centre would see a healthy till that prints nothing.

import type { Sample } from '../../protocol/metric-body.ts';
import type { MetricName } from '../../protocol/metrics.ts';
import { type DeviceModel, own, type TerminalModel, WORD_CHARS_MAX } from './model.ts';

/** Devices of one terminal; more are not remembered. */
export const DEVICES_MAX = 32;

type Rule = (model: TerminalModel, sample: Sample, timeMs: number) => TerminalModel;

/** UnifiedPOS power states but ONLINE (2001) and UNKNOWN (2000), in words. */
const POWER_TROUBLES: Readonly<Record<number, string>> = {
  2002: 'off',
  2003: 'offline',
  2004: 'off or offline',
};

const short = (text: string): string => text.slice(0, WORD_CHARS_MAX);

function withDevice(
  model: TerminalModel,
  sample: Sample,
  timeMs: number,
  change: (device: DeviceModel) => Partial<DeviceModel>,
): TerminalModel {
  const [component, device] = [short(sample.labels['component'] ?? ''), sample.labels['device']];
  if (component === '' || device === undefined || device === '') return model;
  const key = `${component}/${short(device)}`;
  const known = own(model.devices, key);
  if (known === undefined && Object.keys(model.devices).length >= DEVICES_MAX) return model;
  const before = known ?? {
    component,
    device: short(device),
    state: 'unknown',
    signs: {},
    atMs: 0,
  };
  const after = { ...before, ...change(before), atMs: timeMs };
  return { ...model, devices: { ...model.devices, [key]: after } };
}

/** Notes whether a sign is there; a sign that went is forgotten. */
const sign =
  (kind: string, textOf: (sample: Sample) => string | undefined): Rule =>
  (model, sample, timeMs) =>
    withDevice(model, sample, timeMs, ({ signs }) => {
      const { [kind]: _, ...others } = signs;
      const text = textOf(sample);
      return { signs: text === undefined ? others : { ...others, [kind]: text } };
    });

const paper: Rule = (model, sample, timeMs) => {
  const state = short(sample.labels['state'] ?? '');
  const text = state === 'end' ? 'out of paper' : `paper ${state.replaceAll('_', ' ')}`;
  return sign(`paper ${state}`, ({ value }) => (value === 1 ? text : undefined))(
    model,
    sample,
    timeMs,
  );
};

export const deviceRules: Partial<Record<MetricName, Rule>> = {
  pos_device_state: (model, sample, timeMs) =>
    sample.value === 1
      ? withDevice(model, sample, timeMs, () => ({ state: short(sample.labels['state'] ?? '') }))
      : model,
  pos_device_power_state: sign('power', ({ value }) => POWER_TROUBLES[value]),
  pos_printer_paper: paper,
  pos_printer_cover_open: sign('cover', ({ value }) => (value === 1 ? 'cover open' : undefined)),
};
