// Commands that wait for a terminal while the operator who asked for them is disabled or gets a lower role: they are taken
// back at once, before anything more of them is sent.

import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { openCommands } from '../../broker/commands/commands.ts';
import { openOperators } from '../../broker/operators/operators.ts';
import type { Role } from '../../protocol/catalogue.ts';
import { quiet, rig } from './fleet-rig.ts';
import { CHEAP } from './operators-rig.ts';

const BY = { name: 'root', address: '192.0.2.1' };
const DISABLED = 'kim is no operator any more: who still wants it asks for it again';
const LOWERED = 'kim has not the role for it any more: who still wants it asks for it again';

async function begin(role: Role = 'oncall') {
  const back = rig();
  const { fleet, metrics, time } = back;
  const audit = openAudit(fleet.database, time.clock, metrics);
  const shared = { database: fleet.database, audit, metrics, ...time };
  const operators = openOperators({ ...shared, cost: CHEAP });
  const sent: string[] = [];
  const { privateKey: key } = generateKeyPairSync('ed25519');
  const options = {
    ...{ ...time, fleet, key, audit, metrics, log: quiet, operators },
    send: (terminal: string) => sent.push(terminal),
  };
  const commands = openCommands(options);
  onTestFinished(() => {
    commands.close();
    operators.close();
  });
  await operators.add('root', 'admin', BY);
  await operators.add('kim', role, BY);
  const ask = (kind = 'probe', bulk?: string): string => {
    const asked = { terminal: 'lane-1', kind, arguments: {}, reason: 'it hangs', bulk };
    const made = commands.create({ ...asked, actor: { name: 'kim', role } });
    if (!made.ok) throw new Error(made.reason);
    return made.id;
  };
  const connect = (): void => {
    fleet.sessionOpened('lane-1', { address: '', openedMs: 0 });
    commands.terminalReady('lane-1');
  };
  const told = (id: string) => {
    const view = commands.get(id);
    return [view?.state, view?.history.at(-1)?.reason];
  };
  return { ...back, audit, operators, commands, sent, ask, connect, told, options };
}

describe('a command that waits', () => {
  it('is taken back as soon as its operator is disabled, and that is written down', async () => {
    const { operators, ask, told, connect, sent, audit } = await begin();
    const id = ask();
    operators.change('kim', { enabled: false }, BY);
    expect(told(id)).toEqual(['cancelled', DISABLED]);
    expect(audit.list(10)).toContainEqual(
      expect.objectContaining({
        ...{ operator: 'broker', action: 'command.probe.cancel', subject: 'lane-1' },
        ...{
          reason: DISABLED,
          outcome: 'cancelled',
          detail: expect.objectContaining({ command: id }),
        },
      }),
    );
    operators.change('kim', { enabled: true }, BY);
    connect();
    expect(sent).toEqual([]);
  });

  it('is taken back when the role falls below what it needs, and only then', async () => {
    const { operators, ask, told } = await begin('admin');
    const [reboot, probe] = [ask('reboot'), ask('probe')];
    operators.change('kim', { role: 'oncall' }, BY);
    expect([told(reboot), told(probe)[0]]).toEqual([['cancelled', LOWERED], 'pending']);
    operators.change('kim', { role: 'viewer' }, BY);
    expect(told(probe)).toEqual(['cancelled', LOWERED]);
  });

  it('is not sent again once it was sent and not answered', async () => {
    const { operators, ask, told, connect, sent, time } = await begin();
    connect();
    const id = ask();
    operators.change('kim', { enabled: false }, BY);
    time.pass(60_000);
    expect([sent.length, ...told(id)]).toEqual([
      ...[1, 'cancelled', `${DISABLED}; it was on its way already`],
    ]);
  });

  it('is looked at before it is sent, whatever was not heard of', async () => {
    const { ask, told, connect, sent, options, commands } = await begin();
    const id = ask();
    commands.close();
    // The next broker finds it, and an operator who is none.
    const next = openCommands({
      ...options,
      ...{ operators: { roleOf: (): undefined => undefined, onChange: () => () => undefined } },
    });
    onTestFinished(next.close);
    options.fleet.sessionOpened('lane-1', { address: '', openedMs: 0 });
    next.terminalReady('lane-1');
    expect([sent.length, ...told(id)]).toEqual([0, 'cancelled', DISABLED]);
    connect();
    expect(sent).toEqual([]);
  });

  it('stays when the broker itself asked for it, and when nobody is asked about', async () => {
    const { operators, commands, ask, told } = await begin();
    const args = { version: 2, authorities: ['pem'], commandKeys: ['ed25519:x'] };
    const made = commands.createOwn('trust', 'lane-1', args, 'it has changed');
    const bulk = ask('probe', 'b1');
    operators.change('kim', { enabled: false }, BY);
    if (made.ok) expect(told(made.id)[0]).toBe('pending');
    // Its bulk action stops, and whoever resumes that answers for it.
    expect([made.ok, told(bulk)[0]]).toEqual([true, 'pending']);
  });
});
