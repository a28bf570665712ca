// What only a driver knows of the machine: how warm its processor is. Read without waiting, because some sensors
// answer after milliseconds over a slow bus. Not by systeminformation, whose cpuTemperature stops the whole agent
// for a shell (execSync).

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Drivers of a processor's own sensor, best first [Documentation/hwmon]. */
const DRIVERS = ['coretemp', 'k10temp', 'zenpower', 'cpu_thermal', 'soc_thermal'];
/** Zones where there is no such driver; `acpitz` is somewhere in the case. */
const ZONES = ['x86_pkg_temp', 'cpu-thermal', 'cpu_thermal', 'soc-thermal', 'acpitz'];
const SENSORS_MAX = 64;

const readText = async (path: string): Promise<string> => {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return '';
  }
};

async function named(folder: string, file: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  try {
    for (const entry of (await readdir(folder)).sort().slice(0, SENSORS_MAX)) {
      const name = await readText(join(folder, entry, file));
      if (name !== '' && !found.has(name)) found.set(name, join(folder, entry));
    }
  } catch {
    // No such folder: a virtual machine, mostly.
  }
  return found;
}

/** @param root of sysfs. @returns the file of the processor's sensor, if there is one. */
export async function findSensor(root = '/sys'): Promise<string | undefined> {
  const drivers = await named(join(root, 'class/hwmon'), 'name');
  const driver = DRIVERS.find((known) => drivers.has(known));
  if (driver !== undefined) return join(drivers.get(driver) ?? '', 'temp1_input');
  const zones = await named(join(root, 'class/thermal'), 'type');
  const zone = ZONES.find((known) => zones.has(known));
  return zone === undefined ? undefined : join(zones.get(zone) ?? '', 'temp');
}

/** Both kinds of file hold thousandths of a degree. @returns undefined for what no processor can be. */
export async function readCelsius(sensor: string): Promise<number | undefined> {
  const celsius = Number((await readText(sensor)) || Number.NaN) / 1_000;
  return celsius > -60 && celsius < 200 ? celsius : undefined;
}
