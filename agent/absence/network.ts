// What the kernel says of the machine's network, from its small files: no socket, no privilege, microseconds. A
// default route stays when a cable is pulled, so the carrier of its interface is asked as well; where there is no
// route, any carrier at all tells a missing address from a missing cable [sysfs-class-net, proc(5)].

import type { Files } from '../ports.ts';
import { type Look, NO_LOOK } from './types.ts';

const NET = '/sys/class/net';
const INTERFACES_MAX = 64;
/** Flags of /proc/net/route: usable, and by a gateway [route(8)]; and of /proc/net/arp: complete. */
const ROUTE_UP = 0x1;
const ROUTE_GATEWAY = 0x2;
const ARP_COMPLETE = 0x2;

export type Route = { readonly device: string; readonly gateway: string | undefined };

/** As the file has it: hexadecimal, the last byte first. */
function addressOf(hex: string): string {
  const bytes = hex.match(/../g) ?? [];
  return bytes
    .map((byte) => Number.parseInt(byte, 16))
    .reverse()
    .join('.');
}

/** The default route with the lowest metric. */
export function defaultRoute(text: string | undefined): Route | undefined {
  const rows = (text ?? '')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  const found = rows
    .map(([device = '', target, via = '', flags = '0', , , metric = '0', mask]) => ({
      ...{ device, via, flags: Number.parseInt(flags, 16), metric: Number(metric) },
      isDefault: target === '00000000' && mask === '00000000',
    }))
    .filter(({ isDefault, flags }) => isDefault && (flags & ROUTE_UP) !== 0)
    .sort((a, b) => a.metric - b.metric)[0];
  if (found === undefined) return undefined;
  const hasGateway = (found.flags & ROUTE_GATEWAY) !== 0;
  return { device: found.device, gateway: hasGateway ? addressOf(found.via) : undefined };
}

/** Whether the neighbour's hardware address is known; undefined when it was not asked for. */
export function isNeighbour(text: string | undefined, address: string): boolean | undefined {
  for (const line of (text ?? '').split('\n').slice(1)) {
    const [ip, , flags = '0'] = line.trim().split(/\s+/);
    if (ip === address) return (Number.parseInt(flags, 16) & ARP_COMPLETE) !== 0;
  }
  return undefined;
}

type Reading = Pick<Files, 'read' | 'some'>;

/** The file cannot be read while the interface is switched off. */
function hasCarrier({ read }: Reading, device: string): boolean {
  const state = read(`${NET}/${device}/operstate`, 64)?.trim();
  if (state === 'down' || state === 'lowerlayerdown' || state === 'notpresent') return false;
  return read(`${NET}/${device}/carrier`, 64)?.trim() === '1';
}

export type Network = { readonly look: Look; readonly gateway: string | undefined };

export function readNetwork(files: Reading): Network {
  const devices = files.some(NET, INTERFACES_MAX).filter((name) => name !== 'lo');
  const routes = files.read('/proc/net/route');
  // Not Linux, or hidden from us: nothing can be told.
  if (routes === undefined) return { look: NO_LOOK, gateway: undefined };
  const route = defaultRoute(routes);
  const carrier =
    route === undefined
      ? devices.some((device) => hasCarrier(files, device))
      : hasCarrier(files, route.device);
  const look: Look = { carrier, route: route !== undefined, gateway: 'unknown' };
  return { look, gateway: carrier ? route?.gateway : undefined };
}
