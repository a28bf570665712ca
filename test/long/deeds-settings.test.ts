// Settings that an operator applies to a real agent while it runs, and logs that he has deleted.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, until } from '../real/agent-rig.ts';
import { DeedsRig } from './deeds-rig.ts';

let rig: DeedsRig;
beforeEach(() => {
  rig = new DeedsRig();
});
afterEach(() => rig.close());

const configure = (yaml: string, sha256 = createHash('sha256').update(yaml).digest('hex')) =>
  ({ kind: 'configure', arguments: { yaml, sha256 } }) as const;
const LINES = 2_000;
const logsOf = (): readonly string[] => {
  const folder = join(rig.till.folder, 'data', 'logs', 'till');
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return names.map((name) => join(folder, name));
};
/** Of each life all was printed: what was read of it is nulls by then, but has its place. */
const printed = () => logsOf().every((file) => statSync(file).size > LINES * 100);
const batchesOf = () => rig.batches('metrics').length;

describe('an operator', () => {
  it('applies settings that a running agent can take, and that outlive it; nothing else', async () => {
    await rig.open([fault('till')], { drills: true });
    await rig.connected();
    await rig.till.ready('till');
    const wrong = ['sampling:', '  everyMs: 60000', '  sendMs: 1000', 'bounds:', '  commands: []'];
    const refused = await rig.obeyed(
      configure([...wrong, 'components:', '  - {name: oven, mode: act}'].join('\n')),
    );
    expect(refused.state).toBe('failed');
    expect(refused.reason).toContain('bounds: cannot be changed in a running agent');
    expect(refused.reason).toContain('what can: sampling, link, mode, drills, components (line 5)');
    expect(refused.reason).toContain('sampling.everyMs: must not be more than sendMs (1000)');
    expect(refused.reason).toContain('no component is called "oven"');
    expect((await rig.obeyed(configure('mode: observe', '0'.repeat(64)))).reason).toContain(
      'the settings are not what was signed for',
    );
    const yaml = 'mode: observe\ndrills: false\nsampling: {everyMs: 200, sendMs: 400}\n';
    expect(await rig.obeyed(configure(yaml))).toMatchObject({
      ...{ state: 'succeeded', detail: { sha256: configure(yaml).arguments.sha256 } },
    });
    const before = batchesOf();
    await until('it samples faster', () => batchesOf() >= before + 4, 10_000);
    const drill = { kind: 'drill', arguments: { fault: 'hang' } } as const;
    expect((await rig.obeyed(drill)).reason).toContain('drills are not allowed here');
    expect(await rig.status('till')).toMatchObject({ mode: 'observe' });
    await rig.killAgent();
    rig.startAgent();
    await rig.connected(2);
    await until('the next agent has it too', async () => {
      const seen = (await rig.status('till').catch(() => undefined)) as
        | { mode?: string }
        | undefined;
      return seen?.mode === 'observe';
    });
  });

  it('deletes logs that are older than a time, and nothing of what is newer', async () => {
    // Far less than a component may print in a second: none of it is dropped, however busy the machine is.
    await rig.open([fault('till', ['--log-lines', String(LINES)])]);
    await rig.connected();
    await rig.till.ready('till');
    await until('the first life has printed', printed);
    const restart = { kind: 'restart', arguments: { component: 'till', force: true } } as const;
    expect(await rig.obeyed(restart)).toMatchObject({ state: 'succeeded' });
    expect(logsOf()).toHaveLength(2);
    await until('and the second', printed);
    const early = await rig.obeyed({ kind: 'purge_logs', arguments: { beforeMs: 1 } });
    expect(early.detail).toMatchObject({ bytes: 0 });
    const purge = {
      kind: 'purge_logs',
      arguments: { component: 'till', beforeMs: Date.now() },
    } as const;
    const purged = await rig.obeyed(purge);
    expect(purged).toMatchObject({ state: 'succeeded', detail: { till: { kept: 0 } } });
    const { records } = purged.detail['till'] as { records: number };
    // Of both lives; the plain files hold nulls soon after.
    expect(records).toBeGreaterThan(2 * LINES);
    expect(Number(purged.detail['bytes'])).toBeGreaterThan(0);
    const left = (file: string) => readFileSync(file).filter((byte) => byte !== 0).length;
    await until('the plain files too', () => logsOf().every((file) => left(file) < 1_000));
    expect(rig.till.copies('till')).toHaveLength(1);
  });
});
