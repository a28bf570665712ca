// The words of UnifiedPOS 1.15 that this component speaks: states, power states, error codes, levels of a
// health check and names of statistics (research/pos.md 1.1). They are kept to the letter, so that whoever
// knows OPOS, JavaPOS or POS for .NET can read our metrics and our API without a dictionary.

export const DEVICE_CLASSES = [
  'POSPrinter',
  'CashDrawer',
  'Scanner',
  'Scale',
  'LineDisplay',
] as const;
export type DeviceClass = (typeof DEVICE_CLASSES)[number];

export const DEVICE_STATES = ['CLOSED', 'IDLE', 'BUSY', 'ERROR'] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];

/** The numbers are those of the standard; the metric carries them. */
export const POWER_STATES = {
  UNKNOWN: 2000,
  ONLINE: 2001,
  OFF: 2002,
  /** Powered, but not ready. */
  OFFLINE: 2003,
  /** Off or not ready: nobody can tell which. */
  OFF_OFFLINE: 2004,
} as const;
export type PowerState = keyof typeof POWER_STATES;

/** Each code with its sentence for the cashier and the log. EPTR and ESCAL come with E_EXTENDED. */
export const SENTENCES = {
  E_CLOSED: 'is not open',
  E_CLAIMED: 'is held by another program',
  E_NOTCLAIMED: 'is not claimed',
  E_NOSERVICE: 'cannot be understood: check its speed and its settings',
  E_DISABLED: 'is not enabled',
  E_ILLEGAL: 'cannot do that',
  E_NOHARDWARE: 'cannot be reached',
  E_OFFLINE: 'is offline',
  E_FAILURE: 'reports an error',
  E_TIMEOUT: 'does not answer',
  E_BUSY: 'is busy',
  EPTR_COVER_OPEN: 'has its cover open',
  EPTR_REC_EMPTY: 'is out of receipt paper',
  ESCAL_OVERWEIGHT: 'has too much weight on it',
  ESCAL_UNDER_ZERO: 'is under zero: take everything off and set it to zero',
} as const;
export type ErrorCode = keyof typeof SENTENCES;

export const CHECK_LEVELS = ['INTERNAL', 'EXTERNAL'] as const;
/** INTERNAL has no effect that a person notices, EXTERNAL exercises the device. */
export type CheckLevel = (typeof CHECK_LEVELS)[number];

export const STATISTICS = [
  'HoursPoweredCount',
  'CommunicationErrorCount',
  'ReceiptLinePrintedCount',
  'PaperCutCount',
  'FailedPaperCutCount',
  'PrinterFaultCount',
  'ReceiptCoverOpenCount',
  'MaximumTempReachedCount',
  'DrawerGoodOpenCount',
  'DrawerFailedOpenCount',
  'GoodScanCount',
  'GoodWeightReadCount',
  'OnlineTransitionCount',
] as const;
export type Statistic = (typeof STATISTICS)[number];
