// Asks a component by a program: exit code 0 is a yes. What the program has started is put away with it, whether it
// answered or took too long, also where it left the group: asked every two seconds, what each question leaves behind
// would be hundreds by the evening. What cut itself off from it altogether (a daemon that forked twice) stays; such a
// thing is not left by a question but by an order.

import type { StartSpec } from '../ports.ts';
import { type Identity, identify, signalIdentity } from './identity.ts';
import type { Ask, ProbePorts } from './probes.ts';
import { membersOf, scan } from './tree.ts';

class Question {
  readonly #ports: ProbePorts;
  #leader: Identity | undefined;
  #ended = false;
  #abandoned = false;

  constructor(ports: ProbePorts) {
    this.#ports = ports;
  }

  started(pid: number): void {
    this.#leader = identify(this.#ports, pid);
    if (this.#ended) this.#endGroup();
    else if (this.#abandoned) this.#endTree();
  }

  /** Told as soon as it was waited for: the number is still that of its group, or nobody has it yet. */
  exited(): void {
    this.#ended = true;
    this.#endGroup();
  }

  /** Perhaps before it has even started. */
  abandon(): void {
    this.#abandoned = true;
    if (!this.#ended) this.#endTree();
  }

  #endGroup(): void {
    if (this.#leader !== undefined) this.#ports.processes.signal(-this.#leader.pid, 'SIGKILL');
  }

  /** Our own child: while its exit was not told, its number is not given to anybody else. */
  #endTree(): void {
    const leader = this.#leader;
    if (leader === undefined) return;
    const { files, processes } = this.#ports;
    const { bootId, pid: root } = leader;
    const spare = new Set([processes.ownPid]);
    const tree = membersOf(scan(files), new Set([root]), root, () => false, spare);
    this.#endGroup();
    for (const { pid, startTicks } of tree) {
      signalIdentity(this.#ports, { bootId, pid, startTicks }, 'SIGKILL');
    }
  }
}

export const execAsk =
  (ports: ProbePorts, spec: Pick<StartSpec, 'command' | 'env' | 'as'>): Ask =>
  (answer) => {
    const question = new Question(ports);
    const exited = (code: number | undefined, signal: string | undefined): void => {
      question.exited();
      const reason = signal === undefined ? `exit code ${code}` : `ended by ${signal}`;
      answer({ ok: code === 0, reason });
    };
    ports.processes.start(spec, exited).then(
      (started) => {
        if (started.ok) question.started(started.value.pid);
        else answer({ ok: undefined, reason: started.reason });
      },
      (error: unknown) => answer({ ok: undefined, reason: String(error) }),
    );
    return () => question.abandon();
  };
