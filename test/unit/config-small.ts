// The smallest configuration that an agent takes; tests add to it.

export const SMALL = `
terminal: lane-1
dataDir: data
runDir: /run/tillwatch
components:
  - name: sale
    command: [/usr/bin/node, sale.mjs]
`;
