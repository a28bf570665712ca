// The demo's hands and eyes at a till's devices: the control routes of the printer program, which stands in
// for a printer and a scanner, what the hardware component says of them, and what the broker knows.

import { readFileSync } from 'node:fs';
import { dataDirOf, portFileOf, printerDirOf, TILLS } from './plan.ts';
import { viewOf, type World } from './world.ts';

const ANSWER_MS_MAX = 2_000;

/** Where one till's devices are reached. */
export type Bench = {
  /** Breaks or mends a device. @returns whether it was done */
  readonly set: (path: string, body: object) => Promise<boolean>;
  /** The last receipts that came out of the printer. */
  readonly receipts: () => Promise<readonly string[]>;
  /** How many ever did. */
  readonly printed: () => Promise<number>;
  /** A route of the component that drives the device; undefined while it does not answer. */
  readonly ask: <T>(component: string, path: string) => Promise<T | undefined>;
  readonly device: (component: string, name: string) => Promise<DeviceFacts | undefined>;
};

/** As GET /devices of the hardware component tells it (UnifiedPOS words). */
export type DeviceFacts = {
  readonly name: string;
  readonly state: string;
  readonly power: string;
  readonly errorCode?: string;
  readonly text?: string;
  readonly reopened: number;
};

async function request<T>(
  file: string,
  key: 'port' | 'controlPort',
  path: string,
  body?: object,
): Promise<T | undefined> {
  try {
    const ports = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
    const response = await fetch(`http://127.0.0.1:${ports[key]}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      headers: { connection: 'close', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}

export function benchOf(world: World, terminal: string): Bench | undefined {
  const till = TILLS.find(({ id }) => id === terminal);
  if (till === undefined) return undefined;
  const control = portFileOf(printerDirOf(world.place, till), 'printer');
  // The program's name, whatever the component is called.
  const portFile = (component: string) =>
    portFileOf(dataDirOf(world.place, till, component), 'hardware');
  const ask = <T>(component: string, path: string) => request<T>(portFile(component), 'port', path);
  return {
    ask,
    set: async (path, body) => (await request(control, 'controlPort', path, body)) !== undefined,
    receipts: async () => {
      const answer = await request<{ receipts: string[] }>(control, 'controlPort', '/receipts');
      return answer?.receipts ?? [];
    },
    printed: async () => {
      const state = await request<{ printer: { receipts: number } }>(
        control,
        'controlPort',
        '/state',
      );
      return state?.printer.receipts ?? 0;
    },
    device: async (component, name) => {
      const answer = await ask<{ devices: DeviceFacts[] }>(component, '/devices');
      return answer?.devices.find((one) => one.name === name);
    },
  };
}

/** Which life of a component this is. Its counter of restarts is told a few seconds later and proves nothing yet. */
export async function lifeOf(
  world: World,
  terminal: string,
  component: string,
): Promise<string | undefined> {
  const view = await viewOf(world, terminal);
  return view?.components.find(({ name }) => name === component)?.instance;
}

/** What is wrong with a device, as the fleet's registry tells it; undefined: it does not know the device. */
export async function troublesOf(
  world: World,
  terminal: string,
  name: string,
): Promise<readonly string[] | undefined> {
  const view = await viewOf(world, terminal);
  return view?.devices?.find(({ device }) => device === name)?.troubles;
}
