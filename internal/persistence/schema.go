package persistence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// applicationID marks a file as ours ("orc1") in SQLite's header, where file(1) and we look for it.
const applicationID = 0x6f726331

// migrations bring the schema from version i to i+1. A published one is never edited.
var migrations = []string{schema1, schema2}

// schema1 is the first schema. Times are integer microseconds since 1970 in UTC, NULL for none; lists and options
// are JSON. Long texts come last in their row, so that a scan for the rest does not read them. An integer key
// gives the order in which rows were written: it is the plan order of tasks and the order of turns. The checks are
// spelled with OR because an IN list is built as a temporary table at each execution, which cost a fifth of a
// transition; for the same reason the JSON of the busiest tables is not parsed again.
const schema1 = `
CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  key         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  name        TEXT NOT NULL,
  repository  TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state = 'running' OR state = 'waiting' OR state = 'paused' OR
    state = 'completed' OR state = 'failed' OR state = 'canceled'),
  base        TEXT NOT NULL,
  base_ref    TEXT NOT NULL,
  branch      TEXT NOT NULL,
  plan_path   TEXT NOT NULL,
  concurrency INTEGER NOT NULL,
  mark        TEXT NOT NULL,
  created_at  INTEGER,
  finished_at INTEGER,
  error       TEXT NOT NULL,
  description TEXT NOT NULL,
  options     TEXT NOT NULL CHECK (json_valid(options)),
  context     TEXT NOT NULL,
  plan        TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_repository ON runs (repository, created_at);

CREATE TABLE tasks (
  key          INTEGER PRIMARY KEY,
  run          TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  id           TEXT NOT NULL,
  status       TEXT NOT NULL CHECK (status = 'pending' OR status = 'eligible' OR status = 'running' OR
    status = 'completed' OR status = 'failed' OR status = 'skipped' OR status = 'canceled'),
  name         TEXT NOT NULL,
  agent_role   TEXT NOT NULL,
  failure_mode TEXT NOT NULL CHECK (failure_mode = '' OR failure_mode = 'hard' OR failure_mode = 'soft' OR
    failure_mode = 'skip'),
  isolation    TEXT NOT NULL CHECK (isolation = '' OR isolation = 'clone' OR isolation = 'worktree' OR
    isolation = 'none'),
  attempts     INTEGER NOT NULL,
  timeout_ns   INTEGER NOT NULL,
  writes_files TEXT CHECK (json_valid(writes_files)),
  verify       TEXT CHECK (json_valid(verify)),
  error        TEXT NOT NULL,
  result       TEXT,
  command      TEXT NOT NULL,
  prompt       TEXT NOT NULL,
  UNIQUE (run, id)
) STRICT;
CREATE INDEX tasks_in_plan_order ON tasks (run);

CREATE TABLE task_dependencies (
  run           TEXT NOT NULL,
  task_id       TEXT NOT NULL,
  position      INTEGER NOT NULL,
  depends_on_id TEXT NOT NULL,
  PRIMARY KEY (run, task_id, position),
  FOREIGN KEY (run, task_id) REFERENCES tasks (run, id) ON DELETE CASCADE,
  FOREIGN KEY (run, depends_on_id) REFERENCES tasks (run, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
  run        TEXT NOT NULL,
  task       TEXT NOT NULL,
  number     INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  phase      TEXT NOT NULL CHECK (phase = 'preparing' OR phase = 'working' OR phase = 'verifying' OR
    phase = 'saving' OR phase = 'merging' OR phase = 'waiting' OR phase = 'done'),
  outcome    TEXT NOT NULL CHECK (outcome = '' OR outcome = 'succeeded' OR outcome = 'failed' OR
    outcome = 'interrupted' OR outcome = 'canceled' OR outcome = 'conflict'),
  not_before INTEGER,
  started_at INTEGER,
  ended_at   INTEGER,
  error      TEXT NOT NULL,
  detail     TEXT NOT NULL,
  PRIMARY KEY (run, task, number),
  FOREIGN KEY (run, task) REFERENCES tasks (run, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  run        TEXT NOT NULL,
  task       TEXT NOT NULL,
  attempt    INTEGER NOT NULL,
  provider   TEXT NOT NULL,
  session_id TEXT NOT NULL,
  updated_at INTEGER,
  PRIMARY KEY (run, task, attempt),
  FOREIGN KEY (run, task) REFERENCES tasks (run, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation_history (
  key       INTEGER PRIMARY KEY,
  run       TEXT NOT NULL,
  task      TEXT NOT NULL,
  attempt   INTEGER NOT NULL,
  timestamp INTEGER,
  role      TEXT NOT NULL,
  content   TEXT NOT NULL,
  FOREIGN KEY (run, task) REFERENCES tasks (run, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX conversation_history_in_order ON conversation_history (run, task);

CREATE TABLE events (
  run     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  seq     INTEGER NOT NULL CHECK (seq > 0),
  time    INTEGER,
  kind    TEXT NOT NULL,
  task    TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  detail  TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  run        TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  generation INTEGER NOT NULL CHECK (generation > 0),
  owner      TEXT NOT NULL,
  pid        INTEGER NOT NULL,
  host       TEXT NOT NULL,
  expires_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  run         TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  kind        TEXT NOT NULL,
  payload     TEXT NOT NULL,
  created_at  INTEGER,
  consumed_at INTEGER,
  error       TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX requests_pending ON requests (run, id) WHERE consumed_at IS NULL;
CREATE INDEX requests_by_run ON requests (run);
`

// schema2 makes turns searchable and gives runs an order by age that needs no sorting. See search.go for how the index
// follows the turns. It keeps no copy of them (content) and no lengths (columnsize), which only a ranking would need.
// Whatever deletes turns, a cascade and an older orc at work in another process included, the trigger takes them out
// of the index. The order of keys is that of age only while none is used twice, so the mark never stays above the
// last turn that is left: the next one gets the key after that.
const schema2 = `
CREATE INDEX runs_by_age ON runs (created_at, key);

CREATE VIRTUAL TABLE conversation_search USING fts5 (
  content, content = 'conversation_history', content_rowid = 'key', columnsize = 0
);

CREATE TABLE searchable (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  last_turn INTEGER NOT NULL
) STRICT;
INSERT INTO searchable VALUES (1, 0);

CREATE TRIGGER conversation_history_deleted AFTER DELETE ON conversation_history BEGIN
  INSERT INTO conversation_search (conversation_search, rowid, content)
    SELECT 'delete', old.key, old.content FROM searchable WHERE one = 1 AND last_turn >= old.key;
  UPDATE searchable SET last_turn = (SELECT coalesce(max(key), 0) FROM conversation_history)
    WHERE one = 1 AND last_turn > (SELECT coalesce(max(key), 0) FROM conversation_history);
END;
`

// migrate brings the database to the version that steps end at, in one transaction. Processes that do this at the
// same time wait for one another and find the work done. program is recorded as the writer of the new schema, for
// the error that an older program gives when it meets it.
func migrate(ctx context.Context, conn *sql.Conn, steps []string, program string) (err error) {
	version, err := schemaVersion(ctx, conn)
	if err != nil || version == len(steps) {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			_, rolledBack := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, rolledBack)
		}
	}()
	// Another process may have been here while this one waited.
	if version, err = schemaVersion(ctx, conn); err != nil {
		return err
	}
	if version > len(steps) {
		return newer(ctx, conn, version, len(steps))
	}
	for ; version < len(steps); version++ {
		if _, err = conn.ExecContext(ctx, steps[version]); err != nil {
			return fmt.Errorf("to version %d: %w", version+1, err)
		}
	}
	const record = "INSERT INTO meta (name, value) VALUES ('program', ?) ON CONFLICT DO UPDATE SET value = excluded.value"
	if _, err = conn.ExecContext(ctx, record, program); err != nil {
		return fmt.Errorf("record the program's version: %w", err)
	}
	header := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version)
	if _, err = conn.ExecContext(ctx, header); err != nil {
		return fmt.Errorf("record the version: %w", err)
	}
	if _, err = conn.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func schemaVersion(ctx context.Context, q querier) (version int, err error) {
	if err := q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	return version, nil
}

// newer is the refusal of a database whose schema this program does not know.
func newer(ctx context.Context, q querier, version, known int) error {
	var program string
	err := q.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'program'").Scan(&program)
	if err != nil || program == "" {
		program = "a newer orc" // a future schema may keep it elsewhere
	}
	return &Error{
		Op:   "read the schema",
		Kind: ErrNewer,
		Err:  fmt.Errorf("schema version %d, written by %s; this program knows versions up to %d", version, program, known),
		Hint: "use " + program + " or a later version; nothing was changed",
	}
}
