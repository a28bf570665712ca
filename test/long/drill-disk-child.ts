// A real agent on a disk of 50 MB that drills what becomes of it when that fills, and one that is killed in the middle
// of that: run by drill-disk.test.ts in a world of its own.

import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { fault, isAlive, Rig, until } from '../real/agent-rig.ts';
import { reportOf, tillwatch } from '../real/drill-rig.ts';
import { tell } from './disk-world.ts';

const [world = ''] = process.argv.slice(2);
const disk = join(world, 'data');
const runDir = join(world, 'run', 'agent');
const rig = new (class extends Rig {
  override marked(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        try {
          const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
          return environment.includes(`TILLWATCH_SOCKET=${world}/run/`) && isAlive(pid);
        } catch {
          return false;
        }
      });
  }
})();

const free = (): number => {
  const { bavail, bsize } = statfsSync(disk);
  return bavail * bsize;
};
const ballast = (): boolean => existsSync(join(rig.folder, 'data', 'drill.ballast'));
const drill = (...more: string[]) =>
  tillwatch({ TILLWATCH_RUN_DIR: runDir }, 'drill', 'disk-full', ...more);

try {
  rig.configure([fault('sale')], { runDir, drills: true });
  void rig.start();
  await rig.ready('sale');
  await until('it can be asked', () => existsSync(join(runDir, 'control.sock')));
  const freeBefore = free();
  const ran = await drill('--json');
  tell('drilled', { exit: ran.exit, report: ran.exit === 0 ? reportOf(ran) : ran });
  tell('after', {
    freeBefore,
    freeAfter: free(),
    ballast: ballast(),
    sale: rig.copies('sale').length,
  });

  const running = drill();
  await until('the disk fills', ballast);
  rig.agent?.kill('SIGKILL');
  await running;
  tell('killed', { ballast: ballast() });
  void rig.start();
  await until('the next one has cleaned up', () => !ballast());
  tell('cleaned', { note: existsSync(join(runDir, 'drill.json')) });
} finally {
  await rig.clean();
}
