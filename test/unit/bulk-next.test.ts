// A broker that was killed in the middle of a bulk action, and the next one.

import { describe, expect, it } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { openBulks } from '../../broker/bulk/desk.ts';
import { openNotices } from '../../broker/bulk/notices.ts';
import { openCommands } from '../../broker/commands/commands.ts';
import { begin, terminals } from './bulk-rig.ts';
import { quiet, START_MS } from './fleet-rig.ts';
import { BULK } from './http-rig.ts';

describe('the next broker', () => {
  it('goes on where the killed one was, with one command for each terminal', async () => {
    const rig = await begin();
    const { plan, start, answerAll, sent, privateKey, time, metrics } = rig;
    const { id } = await start(await plan({ selector: { all: true } }));
    answerAll();
    const before = rig.commands.list({ bulk: id, limit: 100 }).length;
    expect(before).toBe(3);
    rig.bulks.close();
    rig.commands.close();
    // What is answered while nobody listens is in the ledger.
    const fleet = rig.reopen();
    const audit = openAudit(fleet.database, time.clock, metrics);
    const notices = openNotices(fleet.database, time.clock);
    const shared = { ...time, fleet, audit, metrics, log: quiet };
    const commands = openCommands({
      ...{ ...shared, key: privateKey },
      send: (terminal, bytes) => sent.push({ terminal, bytes }),
    });
    const bulks = openBulks({
      ...{ ...shared, commands, notices, settings: BULK, stateOf: () => 'enrolled' },
    });
    for (const { id: terminal } of terminals) {
      fleet.sessionOpened(terminal, { address: '', openedMs: 0 });
    }
    time.pass(2_000);
    expect(commands.list({ bulk: id, limit: 100 })).toHaveLength(before);
    for (let turn = 0; turn < 20; turn += 1) {
      for (const { id: command, terminal } of commands.list({ bulk: id, limit: 100 })) {
        if (commands.get(command)?.state === 'succeeded') continue;
        const word = { commandId: command, state: 'succeeded', reason: '', detail: {} } as const;
        rig.terminals.results(terminal, { ...word, timeMs: START_MS + turn });
      }
      fleet.drain();
      time.pass(1_000);
    }
    expect(bulks.get(id)).toMatchObject({ state: 'done', counts: { succeeded: 12 } });
    const all = commands.list({ bulk: id, limit: 100 });
    expect(new Set(all.map(({ terminal }) => terminal)).size).toBe(all.length);
    bulks.close();
    commands.close();
  });
});
