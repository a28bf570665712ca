// Where programs that the bench brings for itself are kept between runs: never in the project, because pm2 is
// under the AGPL and is run as it is, and because nothing of them belongs to what is shipped.

import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function toolsDir(): string {
  const dir = process.env['TILLWATCH_BENCH_TOOLS'] ?? join(tmpdir(), 'tillwatch-bench-tools');
  mkdirSync(dir, { recursive: true });
  return dir;
}
