// Stays with a version until it is released or stopped, and says each wave once: what `--wait` of `config apply` does.
// Breaking it off stops nothing at the broker.

import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { API, countsText, type Failed, stopLines, type VersionView } from './words.ts';

const LOOK_MS = 1_000;
const FAILED_MAX = 10;

export async function failedOf({ client }: Context, bulk: string | undefined): Promise<Failed[]> {
  if (bulk === undefined) return [];
  const path = `/api/v1/bulk/${bulk}/targets?state=failed&limit=${FAILED_MAX}`;
  const reply = await client.get<{ targets: readonly Failed[] }>(path, ['targets']);
  return reply.ok ? [...reply.value.targets] : [];
}

export async function follow(context: Context, { name, version }: VersionView): Promise<Outcome> {
  const { client, print, sleep, json } = context;
  let told = '';
  for (;;) {
    const reply = await client.get<{ versions: readonly VersionView[] }>(
      `${API}/${name}/versions`,
      ['versions'],
    );
    if (!reply.ok) return ended(reply.exit, reply.sentence);
    const now = reply.value.versions.find((one) => one.version === version);
    if (now === undefined) return ended(EXIT.failed, `version ${version} is not kept any more`);
    const line = countsText(now.counts ?? {});
    if (line !== told && !json) print(`  ${line}`);
    told = line;
    if (now.state !== 'rolling') return await over(context, now);
    await sleep(LOOK_MS);
  }
}

async function over(context: Context, now: VersionView): Promise<Outcome> {
  const { print, json } = context;
  const failed = await failedOf(context, now.bulk);
  if (json) printJson(context, { ...now, failed });
  else if (now.state === 'released') {
    print(`version ${now.version} of ${now.name} is released: ${now.why}`);
    for (const { terminal, reason } of failed) print(`  ${terminal}: ${reason}`);
  } else for (const line of stopLines(context, now, failed)) print(line);
  if (now.state === 'released') return done;
  return ended(EXIT.failed, `version ${now.version} of ${now.name} was stopped: ${now.why}`);
}
