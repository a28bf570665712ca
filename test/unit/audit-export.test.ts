import { describe, expect, it } from 'vitest';
import { createExportCheck } from '../../protocol/audit-export.ts';
import { publicKeyText } from '../../protocol/commands.ts';
import { random } from '../real/front-rig.ts';
import { entry, newKey, openRig, type someDays } from './audit-rig.ts';
import { must } from './fleet-rig.ts';

describe('an export', () => {
  const linesOf = (rig: Pick<ReturnType<typeof someDays>, 'database'>, lines: Iterable<string>) => {
    const all = [...lines].join('').trimEnd().split('\n');
    rig.database.close();
    return all;
  };
  const check = (lines: readonly string[], keys: readonly string[]) => {
    const run = createExportCheck(keys);
    for (const line of lines) {
      const taken = run.take(line);
      if (!taken.ok) return taken;
    }
    return run.end();
  };
  const exported = () => {
    const rig = openRig();
    for (let n = 0; n < 310; n += 1) rig.audit.write({ ...entry, detail: { n, ä: '\u2028' } });
    const { keys } = rig;
    return { keys, lines: linesOf(rig, rig.audit.exportLines()) };
  };

  it('holds every entry once and proves itself', () => {
    const { keys, lines } = exported();
    expect(lines).toHaveLength(313);
    expect(must(check(lines, keys))).toMatchObject({ entries: 310, problems: [] });
  });

  it('shows a changed byte, a line too few, a line too many and a cut end', () => {
    const { keys, lines } = exported();
    const next = random(3);
    for (let run = 0; run < 15; run += 1) {
      const at = Math.floor(next() * lines.length);
      const line = lines[at] ?? '';
      const column = Math.floor(next() * line.length);
      const code = line.charCodeAt(column) ^ (1 + Math.floor(next() * 15));
      const changed = line.slice(0, column) + String.fromCharCode(code) + line.slice(column + 1);
      for (const other of [[changed], [], [line, line]]) {
        const proof = check(lines.toSpliced(at, 1, ...other), keys);
        const isFound = !proof.ok || proof.value.problems.length > 0;
        expect(isFound, `line ${at}, column ${column}: ${changed}`).toBe(true);
      }
    }
    expect(check(lines.slice(0, -1), keys)).toMatchObject({ ok: false });
    expect(check(lines, [publicKeyText(newKey())])).not.toMatchObject({ value: { problems: [] } });
  });
});
