// Lines to records: a stack trace stays with the line before it, and so does whatever is indented, JSON that is printed
// over several lines, the second line of java.util.logging. Whether a line goes on is decided by its first characters
// and by what kind of thing the record is; a record is bounded in characters and lines, so that output which only ever
// indents costs no memory. The newest record may go on: whoever reads ends it when nothing came for a while. Pure.

/** What one record may have; what is more begins another. */
export const RECORD_CHARS_MAX = 64 * 1024;
export const RECORD_LINES_MAX = 1_000;
/** The newest record is taken for whole when nothing came for so long. */
export const JOIN_MS = 500;

export type Joiner = {
  /** @param line without its end; line ends within it are taken for what they are. */
  readonly push: (line: string) => readonly string[];
  /** @returns what is held, for whole. */
  readonly end: () => readonly string[];
  /** Lines of the record that may still go on. */
  readonly held: () => number;
};

/** What the record is, as far as that tells whether a line goes on. */
type Kind = 'line' | 'python' | 'go' | 'json' | 'jul' | 'full';

const PYTHON = /^(?:Traceback \(most recent call last\):|\s*\+ Exception Group Traceback)/;
const PYTHON_BETWEEN =
  /^(?:During handling of the above exception|The above exception was the direct cause)/;
/** Its last line: the exception, or what else begins at the margin. */
const PYTHON_LAST = /^[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt|Iteration|Group)\b/;
const GO = /^(?:panic: |fatal error: |goroutine \d+ |SIG[A-Z]+: )/;
const GO_LINE =
  /^(?:goroutine \d+ |\[signal |created by |[\w./*()-]+\(.*\)$|exit status |runtime\.)/;
/** Java and .NET: what a trace goes on with at the margin. */
const CAUSE =
  /^(?:Caused by: |Suppressed: |\.\.\. \d+ (?:more|common frames)|at [\w$.<>`]+[(/]|---> |--- End of |\s*-{3} )/;
/** A frame at the margin, as some loggers trim them. */
const EXCEPTION = /^(?:[a-z_$][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error|Throwable)\b/;
/** `Nov 23, 2026 10:00:00 AM com.till.Sale run`: its message is the line below. */
const JUL = /^[A-Z][a-z]{2} \d{1,2}, \d{4},? \d{1,2}:\d\d:\d\d\s?[AP]M [\w.$]+ [\w$<>]+$/;
const JUL_SECOND = /^(?:SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): /;

/** The end of an object that was printed with what belongs to it, as Node does with an error that has a cause. */
const BRACES = /^[}\])]{1,4}[,;]?$/;
/** What stands at the margin of JSON that is printed over lines. */
const IN_JSON = /^(?:["}\]{[]|\d+,?\s*$)/;

const BLANK = 32;
const TAB = 9;
const isIndented = (code: number): boolean => code === BLANK || code === TAB;

function kindOf(line: string): Kind {
  const first = line.charCodeAt(0);
  if ((first === 123 || first === 91) && line.trimEnd().length === 1) return 'json';
  if (first === 84 && PYTHON.test(line)) return 'python';
  if ((first === 112 || first === 102 || first === 103 || first === 83) && GO.test(line))
    return 'go';
  if (first >= 65 && first <= 90 && JUL.test(line)) return 'jul';
  return 'line';
}

class LineJoiner implements Joiner {
  #lines: string[] = [];
  #chars = 0;
  #kind: Kind = 'line';
  /** Empty lines belong to what comes behind them, or to nobody. */
  #empty = 0;
  #isTrace = false;

  held = (): number => this.#lines.length;

  end = (): readonly string[] => {
    if (this.#lines.length === 0) return [];
    const record = this.#lines.length === 1 ? (this.#lines[0] ?? '') : this.#lines.join('\n');
    this.#lines = [];
    this.#chars = 0;
    this.#empty = 0;
    this.#kind = 'line';
    this.#isTrace = false;
    return [record];
  };

  push = (line: string): readonly string[] => {
    if (!line.includes('\n')) return this.#push(line);
    return line.split('\n').flatMap((one) => this.#push(one));
  };

  #push(line: string): readonly string[] {
    if (line.trim() === '') {
      // Nothing is said by it unless what follows belongs to the same.
      if (this.#lines.length > 0) this.#empty += 1;
      return [];
    }
    if (this.#lines.length === 0) return this.#begin(line);
    if (!this.#goesOn(line)) return [...this.end(), ...this.#begin(line)];
    const isFull =
      this.#chars + line.length > RECORD_CHARS_MAX ||
      this.#lines.length + this.#empty >= RECORD_LINES_MAX;
    if (isFull) {
      const kind = this.#kind;
      const ended = this.end();
      this.#begin(line);
      this.#kind = kind;
      return ended;
    }
    for (; this.#empty > 0; this.#empty -= 1) this.#hold('');
    this.#hold(line);
    return this.#closes(line) ? this.end() : [];
  }

  #begin(line: string): readonly string[] {
    this.#hold(line);
    this.#kind = kindOf(line);
    return [];
  }

  #hold(line: string): void {
    this.#lines.push(line);
    this.#chars += line.length + 1;
  }

  #goesOn(line: string): boolean {
    const first = line.charCodeAt(0);
    const isOwn = this.#empty === 0;
    if (this.#kind === 'json') return isIndented(first) || IN_JSON.test(line);
    if (isIndented(first)) {
      const isFrame = this.#isTrace || /^\s+(?:at |File "|\.\.\. )/.test(line);
      this.#isTrace = isFrame;
      // Indented text behind an empty line is another matter, a frame is not.
      return isOwn || isFrame || this.#kind !== 'line';
    }
    // A traceback may stand below the line that announces it.
    if (PYTHON.test(line) && isOwn) {
      this.#kind = 'python';
      return true;
    }
    if (this.#kind === 'jul' && this.#lines.length === 1) return isOwn && JUL_SECOND.test(line);
    if (this.#kind === 'python') return this.#goesOnPython(line);
    if (this.#kind === 'go') return GO_LINE.test(line) || GO.test(line);
    if (GO.test(line) && first === 103) return false;
    if (CAUSE.test(line)) return true;
    if (isOwn && BRACES.test(line)) return isIndented(this.#lines.at(-1)?.charCodeAt(0) ?? 0);
    // The exception below the line of the logger that tells of it.
    return isOwn && this.#lines.length === 1 && EXCEPTION.test(line);
  }

  /** The exception stands at the margin and is the last line, unless another traceback follows. */
  #goesOnPython(line: string): boolean {
    if (PYTHON.test(line) || PYTHON_BETWEEN.test(line)) return true;
    const last = this.#lines.at(-1) ?? '';
    const isBehindFrame = isIndented(last.charCodeAt(0)) && this.#empty === 0;
    return isBehindFrame || (PYTHON_LAST.test(line) && isBehindFrame);
  }

  /** JSON over several lines ends where it began: at the margin. */
  #closes(line: string): boolean {
    return this.#kind === 'json' && /^[}\]][,;]?\s*$/.test(line);
  }
}

export const createJoiner = (): Joiner => new LineJoiner();
