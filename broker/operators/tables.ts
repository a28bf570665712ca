// The tables of operators and their sessions, in the registry's file, so that a change and its entry in the audit log
// become true together. No secret stands in them that could be used: of a token what scrypt made of it, of a session
// a SHA-256.

export const OPERATOR_TABLES = `
  CREATE TABLE IF NOT EXISTS operators (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    secret TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    changed_ms INTEGER NOT NULL,
    signed_in_ms INTEGER
  ) STRICT;
  CREATE TABLE IF NOT EXISTS sessions (
    hash TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    operator TEXT NOT NULL,
    address TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
  ) STRICT;
`;
