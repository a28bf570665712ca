// What the broker knows of stores, and what other rooms may ask about them. A store is what an operator's file says it
// is (`tillwatch stores apply`): without a file nothing is known of any, and every answer here says so instead of
// guessing, because a store that is taken for open pages somebody at night.

/** Minutes since midnight on the store's own wall clock; `toMin` beyond 1440 goes over midnight. */
export type Span = { readonly fromMin: number; readonly toMin: number };
/** When it is open on a day that begins then: no span is closed, 0 to 1440 is round the clock. */
export type DayHours = readonly Span[];

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];
/** Days that are not named are closed. */
export type WeekHours = Readonly<Partial<Record<Weekday, DayHours>>>;

/** Of dates `from` to `to`, both as YYYY-MM-DD and both included. */
export type Exception = {
  readonly from: string;
  readonly to: string;
  readonly hours: DayHours;
  readonly reason?: string | undefined;
};

export type PlannedTerminal = { readonly id: string; readonly labels: readonly string[] };

/** A store as the file says it. */
export type Store = {
  readonly id: string;
  readonly name?: string | undefined;
  readonly region: string;
  /** IANA name. */
  readonly timeZone: string;
  /** Undefined: nothing is known of them. */
  readonly hours?: WeekHours | undefined;
  readonly exceptions: readonly Exception[];
  /** Lanes that should sell while it is open; as many as its terminals where the file says nothing. */
  readonly lanes?: number | undefined;
  /** `key=value` or a word. */
  readonly labels: readonly string[];
  readonly terminals: readonly PlannedTerminal[];
};

/** A store as the API tells it now. */
export type StoreView = Store & {
  /** Undefined: nothing is known of its hours. */
  readonly open: boolean | undefined;
  readonly lanesExpected: number;
  /** Of terminals that stand there now, whoever planned them. */
  readonly counts: {
    readonly terminals: number;
    readonly online: number;
    /** Of those online, what sells: no component of it is other than ready or suspect. */
    readonly selling: number;
    readonly never: number;
    readonly maintenance: number;
  };
};

/** Who says which terminals a maintenance leaves out now. */
export type InMaintenance = {
  readonly ofTerminal: (terminal: string) => boolean;
  readonly ofStore: (store: string) => boolean;
};

export type Stores = {
  readonly get: (id: string) => StoreView | undefined;
  readonly all: () => readonly StoreView[];
  /** As the file says them, without what is so now: cheap. */
  readonly files: () => readonly Store[];
  readonly file: (id: string) => Store | undefined;
  /** Undefined: nothing is known of its hours. */
  readonly isOpen: (store: string, nowMs: number) => boolean | undefined;
  readonly zoneOf: (store: string) => string | undefined;
  readonly regionOf: (store: string) => string | undefined;
  /** Its own and its store's, in order and each once. */
  readonly labelsOf: (terminal: string) => readonly string[];
  /** As the file plans them; where they stand now is the fleet's to say. */
  readonly plannedTerminals: (store: string) => readonly string[];
  /** None while it is closed, none of those that a maintenance leaves out. */
  readonly lanesExpected: (store: string, nowMs: number) => number;
  /** Who says which terminals a maintenance leaves out; nobody is until then. */
  readonly leaveOutBy: (provider: InMaintenance) => void;
  /** Called once a change is on disk. @returns an undo. */
  readonly onChange: (listener: () => void) => () => void;
};
