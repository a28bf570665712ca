import { spawn } from 'node:child_process';
import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// vitest also starts on older Nodes and may even pass there, on the wrong runtime: say so instead.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  throw new Error(
    `tests need Node >= 24.12, this is ${process.versions.node}: run them with npm test`,
  );
}

/**
 * What Node compiled of a source, TypeScript too: an agent started from source costs 0.2 s of a processor and not
 * 0.75, and the tests start thousands of programs, which inherit it. Begun anew each day, as sources change.
 */
const compiled = join(import.meta.dirname, 'node_modules', '.compiled');
const DAY_MS = 86_400_000;
const since = statSync(compiled, { throwIfNoEntry: false })?.birthtimeMs ?? Date.now();
if (Date.now() - since > DAY_MS) rmSync(compiled, { recursive: true, force: true });
process.env['NODE_COMPILE_CACHE'] ??= compiled;
if (!existsSync(compiled)) {
  // Node keeps it when a program ends, which those that tests kill never do: each once, without a command.
  for (const main of ['agent/main.ts', 'broker/main.ts', 'agent/simulated/main.ts']) {
    spawn(process.execPath, [main, '--nothing'], { cwd: import.meta.dirname, stdio: 'ignore' });
  }
}

/** Real processes and clocks: one file at a time, so that they do not starve each other. */
const oneAtATime = { fileParallelism: false, pool: 'forks' } as const;

/** They wait for nobody: the default on two cores would be one. */
const twoAtATime = { maxWorkers: 2 } as const;

/** Long because they wait for minutes, not because they work: a few at a time do not disturb each other. */
const waiting = [
  'operations',
  'exactly-once',
  'demo',
  'thirty-days',
  'drill',
  'drill-ends',
  'config-stops',
  'simulated',
  'agent-spins',
  'late-crash',
  'never-started',
  'tender',
  'recovery',
  'apply',
  'apply-busy',
  'apply-killed',
  'maintenance',
  'broker-restore',
  'hardware-faults',
  'hardware-devices',
  'respawn',
  'agent-watched',
  'external',
  'progress',
  'agent-adopt',
  'control-external',
  'away',
  'counting',
  'traces',
  'history',
  'scrape',
  'sinks-prometheus',
  'sinks-victoria',
  'slow-disk',
  'link',
  'logs',
  'logs-cards',
  'crash-cards',
  'intake-cards',
  'logs-waiting',
  'loki',
  'loki-errors',
  'pull-kill',
  'outbox-process',
  'mosquitto',
  'metrics',
  'broker-kill',
  'registry-crash',
  'http-live',
  'ledger-kill',
  'delivery',
  'backup',
  'backup-worker',
  'doctor',
  'disk-levels',
  'drill-disk',
  'deeds-running',
  'deeds-stopping',
  'deeds-asking',
  'deeds-settings',
  'deeds-ladder',
  'identity-swap',
  'link-trust',
  'trust',
  'enrolment',
  'login',
  'login-tls',
  'rotation',
  'broker-rotate',
  'tls-https',
  'tls-limits',
  'bulk',
  'agent-broker',
  'broker',
  'witness',
  'hardware-printing',
  'hostile-broker',
  'attack/transport',
  'attack/enrolment',
  'attack/requests',
  'tls-siege',
  'tls-stay',
  'hostile-line',
].map((name) => `test/long/${name}.test.ts`);

/** Unit tests that build a whole HTTP server, or make keys, for each test: with the long ones, so that `npm test` stays short. */
const servers = [
  'audit-http',
  'bulk-desk',
  'bulk-store',
  'bulk-trust',
  'cli-bulk',
  'cli-configurations',
  'cli-stores',
  'command-traces',
  'commands-diagnose',
  'commands-http',
  'configurations',
  'configurations-changes',
  'configurations-pursuit',
  'configurations-read',
  'doctor-broker',
  'errors',
  'errors-http',
  'fleet-configuration',
  'fleet-hold',
  'fleet-observations',
  'http',
  'http-commands',
  'http-history',
  'http-openapi',
  'http-roles',
  'identity-http',
  'journal-rewrite',
  'logs-again',
  'logs-asking',
  'logs-automatic',
  'logs-automatic-flood',
  'logs-cards-asked',
  'logs-content',
  'logs-files',
  'logs-hostile',
  'logs-pull',
  'logs-shelf',
  'logs-unfinished',
  'maintenance-many',
  'operators-http',
  'operators-races',
  'outbox-clock',
  'outbox-disk',
  'outbox-offline',
  'outbox-traces',
  'retention',
  'sinks-restart',
  'stores-apply',
  'trust-keys',
  'trust-running',
  'would-have-acted',
].map((name) => `test/unit/${name}.test.ts`);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          exclude: servers,
          // A busy machine is no failure.
          testTimeout: 20_000,
          ...twoAtATime,
        },
      },
      {
        test: {
          name: 'servers',
          include: servers,
          // Beside those that wait, which leave a processor for them.
          sequence: { groupOrder: 3 },
          testTimeout: 60_000,
          pool: 'forks',
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          ...twoAtATime,
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
          ...oneAtATime,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          exclude: waiting,
          sequence: { groupOrder: 2 },
          testTimeout: 600_000,
          hookTimeout: 120_000,
          ...oneAtATime,
        },
      },
      {
        test: {
          name: 'waiting',
          include: waiting,
          sequence: { groupOrder: 3 },
          testTimeout: 600_000,
          hookTimeout: 120_000,
          pool: 'forks',
          maxWorkers: 3,
        },
      },
    ],
  },
});
