// The patients as components of an agent: how each is started, by what probe it is watched, and a port or a file
// of its own. Shipped defaults everywhere: what is set here is only what a program needs to be found at all.

import { createServer } from 'node:net';
import { join, resolve } from 'node:path';

export type Language = 'node' | 'python' | 'shell';
export type Patient = {
  readonly name: string;
  readonly language: Language;
  readonly mode: string;
  readonly afterMs: number;
};

const HERE = resolve('test/long/patients');

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  return await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((done) => {
          server.once('listening', () => {
            const address = server.address();
            const port = typeof address === 'object' && address !== null ? address.port : 0;
            server.close(() => done(port));
          });
        }),
    ),
  );
}

/** As somebody would configure a program of that language: a probe, and nothing of ours in the program. */
function configure({ name, language, mode, afterMs }: Patient, port: number, folder: string) {
  const marker = join(folder, `${name}.failed`);
  const file = join(folder, `${name}.beat`);
  const common = { name, version: '1.0.0', channel: false };
  const http = [{ kind: 'http', url: `http://127.0.0.1:${port}/` }];
  switch (language) {
    case 'node': {
      const program = [process.execPath, join(HERE, 'patient.ts')];
      const command = [...program, mode, String(afterMs), String(port), marker];
      return { ...common, command, probes: http };
    }
    case 'python': {
      const program = ['python3', join(HERE, 'patient.py')];
      const command = [...program, mode, String(afterMs / 1000), String(port), marker];
      return { ...common, command, probes: http };
    }
    case 'shell': {
      const program = ['/bin/sh', join(HERE, 'patient.sh')];
      const command = [...program, mode, String(Math.ceil(afterMs / 500)), file, marker];
      const probes = [{ kind: 'file', path: file, ageMsMax: 3_000 }];
      return { ...common, command, probes };
    }
  }
}

/** @returns one configuration for each patient, in their order. */
export async function ward(patients: readonly Patient[], folder: string) {
  const ports = await freePorts(patients.length);
  return patients.map((patient, at) => configure(patient, ports[at] ?? 0, folder));
}
