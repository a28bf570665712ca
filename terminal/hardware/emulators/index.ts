// Pretend devices for anybody's tests, each behind a TCP port (`await emulator.listen()` gives it) and, where
// socat is installed, behind a pseudo-terminal (`new Pty(path, port)`, `await pty.plug()`). All of them can
// drop(), comeBack(), dropConnections(), setHung() and setSpeed(); each has its own faults besides: see the
// methods that begin with `set`, and PrinterEmulator's endPaperAfter() and wedge().

export { DisplayEmulator } from './display.ts';
export { Emulator, type Send, type Session, type Speed } from './emulator.ts';
export {
  CUTTERS,
  type Cutter,
  PAPER,
  type Paper,
  PrinterEmulator,
  type PrinterOptions,
} from './printer.ts';
export { missingForPty, Pty } from './pty.ts';
export { type Dialect, PANS, type Pan, ScaleEmulator } from './scale.ts';
export { ScannerEmulator, type ScannerFraming } from './scanner.ts';
