// Tells who counts lines where components print to, by standing in the way of whoever is told already.

import type { Output } from '../output-types.ts';
import type { Tallies } from './tallies.ts';

export const followOutput = (tallies: Tallies, output: Output): Output => ({
  // Before it is started: killed right after that, nobody else would know of its output.
  fileOf: (component, instance) => {
    const path = output.fileOf(component, instance);
    tallies.began(component, path);
    return path;
  },
  readings: () => output.readings(),
  settled: () => output.settled(),
  press: (component) => output.press(component),
  setRoom: (room) => output.setRoom(room),
  tidy: (component, open) => {
    tallies.began(component, open);
    output.tidy(component, open);
  },
  stop: () => {
    tallies.stop();
    output.stop();
  },
});
