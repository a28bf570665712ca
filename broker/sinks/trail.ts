// Where a sink was half a minute ago. Databases answer before what they took is on their disk: one that is killed
// loses the last seconds of it (VictoriaMetrics keeps them in memory, Prometheus in the cache of the
// system). So the cursor on disk follows at this distance, and a sink that was lost goes back by it, where
// the database keeps once what comes twice.

/** VictoriaMetrics writes after 5 s at the latest, Linux after 30 s [vm.dirty_expire_centisecs]. */
export const SETTLE_MS = 30_000;
/** One step of the trail for each; it has as many steps as fit. */
const STEP_MS = 1_000;

const inStep = (atMs: number): number => Math.floor(atMs / STEP_MS);

export type Trail = {
  /** It is there now. */
  readonly reached: (position: number, nowMs: number) => void;
  /** The newest position that was reached long enough ago. */
  readonly settled: (nowMs: number) => number;
  /** Begins anew from there. */
  readonly back: (position: number) => void;
};

export function createTrail(start: number): Trail {
  /** Ascending in both; the first was reached long ago. */
  let steps: { position: number; atMs: number }[] = [];
  let begin = start;
  return {
    reached: (position, nowMs) => {
      const last = steps.at(-1);
      const together = last !== undefined && inStep(last.atMs) === inStep(nowMs);
      // As young as the youngest of what was reached within it.
      if (together) steps[steps.length - 1] = { position, atMs: nowMs };
      else if (last?.position !== position) steps.push({ position, atMs: nowMs });
    },
    settled: (nowMs) => {
      const old = steps.filter(({ atMs }) => nowMs - atMs >= SETTLE_MS);
      begin = old.at(-1)?.position ?? begin;
      steps = steps.slice(old.length);
      return begin;
    },
    back: (position) => {
      begin = position;
      steps = [];
    },
  };
}
