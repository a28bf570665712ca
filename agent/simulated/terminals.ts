// Which terminals a simulated fleet consists of: names and stores, by number alone, so that the broker's
// configuration, the demo and the simulator agree without a file between them. It imports nothing, so
// that anybody may import it. Every name begins with `sim-`: nobody may take one for a real till.

export type SimulatedTerminal = { readonly id: string; readonly store: string };

/** As many as one broker's configuration may name. */
export const TERMINALS_MAX = 20_000;
/** Lanes of a store unless somebody says how many stores there are. */
const LANES = 5;

export const storesFor = (terminals: number): number => Math.max(1, Math.ceil(terminals / LANES));

/**
 * @param terminals 0 to TERMINALS_MAX.
 * @param stores at least 1; more than there are terminals leaves the last ones empty.
 * @returns them store by store; the lanes of two stores differ by at most one.
 */
export function simulatedTerminals(
  terminals: number,
  stores: number = storesFor(terminals),
): SimulatedTerminal[] {
  const digits = Math.max(2, String(stores).length);
  const fleet: SimulatedTerminal[] = [];
  for (let store = 0; store < stores; store += 1) {
    const name = `sim-${String(store + 1).padStart(digits, '0')}`;
    for (let lane = 1; lane - 1 < Math.ceil((terminals - store) / stores); lane += 1) {
      fleet.push({ id: `${name}-lane-${lane}`, store: name });
    }
  }
  return fleet;
}
