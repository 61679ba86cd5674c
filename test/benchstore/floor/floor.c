/*
 * floor does in C what package persistence does through its driver: the same transactions on the same file with the
 * same settings, every statement prepared once. Its cost per operation is the floor that the store is measured
 * against.
 *
 *   floor WORK FILE COUNT
 *
 * WORK is status, save, turns, batches or load. It prints the number of operations, the processor time and the time
 * that passed, in nanoseconds, and SQLite's version.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH 100 /* turns in one transaction of the work "batches" */

static sqlite3 *db;
static sqlite3_stmt *begin_stmt, *commit_stmt;

static void fail(const char *what) {
  fprintf(stderr, "floor: %s: %s\n", what, db ? sqlite3_errmsg(db) : "no database");
  exit(1);
}

static void run(const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail(sql);
}

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK) fail(sql);
  return s;
}

static void text(sqlite3_stmt *s, int i, const char *value) {
  if (sqlite3_bind_text(s, i, value, -1, SQLITE_TRANSIENT) != SQLITE_OK) fail("bind");
}

static void number(sqlite3_stmt *s, int i, sqlite3_int64 value) {
  if (sqlite3_bind_int64(s, i, value) != SQLITE_OK) fail("bind");
}

/* step runs a statement that returns no rows and makes it ready for the next time. */
static void step(sqlite3_stmt *s) {
  if (sqlite3_step(s) != SQLITE_DONE) fail(sqlite3_sql(s));
  if (sqlite3_reset(s) != SQLITE_OK) fail(sqlite3_sql(s));
}

static void open_file(const char *path) {
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) fail("open");
  run("PRAGMA busy_timeout = 5000");
  run("PRAGMA foreign_keys = 1");
  run("PRAGMA journal_mode = WAL");
  run("PRAGMA synchronous = NORMAL");
  run("PRAGMA wal_autocheckpoint = 4000");
  run("PRAGMA journal_size_limit = 67108864");
  run("PRAGMA cache_size = -16000");
  begin_stmt = prepare("BEGIN IMMEDIATE");
  commit_stmt = prepare("COMMIT");
}

/* task_name is the id that the seeding program gave task i. */
static void task_name(char *name, long i) { sprintf(name, "task-%06ld", i % 1000); }

static void status(long count) {
  sqlite3_stmt *s = prepare("UPDATE tasks SET status = ?, result = ?, error = ? WHERE run = ? AND id = ?");
  char id[32];
  for (long i = 0; i < count; i++) {
    task_name(id, i);
    step(begin_stmt);
    text(s, 1, i % 2 ? "failed" : "running");
    sqlite3_bind_null(s, 2);
    text(s, 3, "");
    text(s, 4, "aa");
    text(s, 5, id);
    step(s);
    step(commit_stmt);
  }
}

static void save(long count, const char *prompt) {
  sqlite3_stmt *upsert = prepare(
      "INSERT INTO tasks (run, id, status, name, agent_role, failure_mode, isolation, attempts, timeout_ns, writes_files,"
      " verify, error, result, command, prompt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (run, id) DO UPDATE SET status = excluded.status, name = excluded.name,"
      " agent_role = excluded.agent_role, failure_mode = excluded.failure_mode, isolation = excluded.isolation,"
      " attempts = excluded.attempts, timeout_ns = excluded.timeout_ns, writes_files = excluded.writes_files,"
      " verify = excluded.verify, error = excluded.error, result = excluded.result, command = excluded.command,"
      " prompt = excluded.prompt");
  sqlite3_stmt *edges =
      prepare("SELECT depends_on_id FROM task_dependencies WHERE run = ? AND task_id = ? ORDER BY position");
  char id[32];
  int rc;
  for (long i = 0; i < count; i++) {
    task_name(id, i);
    step(begin_stmt);
    text(upsert, 1, "aa");
    text(upsert, 2, id);
    text(upsert, 3, "eligible");
    for (int column = 4; column <= 7; column++) text(upsert, column, "");
    number(upsert, 8, 1);
    number(upsert, 9, 0);
    text(upsert, 10, "[\"cmd/**\"]");
    text(upsert, 11, "[]");
    text(upsert, 12, "");
    sqlite3_bind_null(upsert, 13);
    text(upsert, 14, "true");
    text(upsert, 15, prompt);
    step(upsert);
    text(edges, 1, "aa");
    text(edges, 2, id);
    while ((rc = sqlite3_step(edges)) == SQLITE_ROW) free(strdup((const char *)sqlite3_column_text(edges, 0)));
    if (rc != SQLITE_DONE) fail("read edges");
    sqlite3_reset(edges);
    step(commit_stmt);
  }
}

static void turns(long count, const char *content, int batch) {
  sqlite3_stmt *s = prepare(
      "INSERT INTO conversation_history (run, task, attempt, timestamp, role, content) VALUES (?, ?, ?, ?, ?, ?)");
  for (long i = 0; i < count; i++) {
    if (i % batch == 0) step(begin_stmt);
    text(s, 1, "aa");
    text(s, 2, "task-000000");
    number(s, 3, 1);
    number(s, 4, 1795492747123456);
    text(s, 5, "assistant");
    text(s, 6, content);
    step(s);
    if (i % batch == batch - 1 || i == count - 1) step(commit_stmt);
  }
}

/* node is one task as load keeps it: its thirteen columns and what it depends on. */
struct node {
  char *texts[14];
  sqlite3_int64 attempts, timeout;
  char *needs[3];
};

static char *copy(sqlite3_stmt *s, int column) {
  const char *value = (const char *)sqlite3_column_text(s, column);
  return value ? strdup(value) : NULL;
}

/* load reads the tasks and the edges in two scans, both in the order of the task's name so that they need no map. */
static long load(void) {
  sqlite3_stmt *tasks = prepare(
      "SELECT id, status, name, agent_role, failure_mode, isolation, attempts, timeout_ns, writes_files, verify, error,"
      " result, command, prompt FROM tasks WHERE run = ? ORDER BY key");
  sqlite3_stmt *edges = prepare(
      "SELECT task_id, depends_on_id FROM task_dependencies WHERE run = ? ORDER BY task_id, position");
  struct node *nodes = NULL;
  long n = 0, room = 0, at = 0, edge = 0;
  int rc;
  text(tasks, 1, "aa");
  while ((rc = sqlite3_step(tasks)) == SQLITE_ROW) {
    if (n == room) nodes = realloc(nodes, (room = room ? 2 * room : 1024) * sizeof *nodes);
    if (!nodes) fail("memory");
    memset(&nodes[n], 0, sizeof nodes[n]);
    for (int c = 0; c < 14; c++)
      if (c != 6 && c != 7) nodes[n].texts[c] = copy(tasks, c);
    nodes[n].attempts = sqlite3_column_int64(tasks, 6);
    nodes[n++].timeout = sqlite3_column_int64(tasks, 7);
  }
  if (rc != SQLITE_DONE) fail("read tasks");
  text(edges, 1, "aa");
  while ((rc = sqlite3_step(edges)) == SQLITE_ROW) {
    const char *id = (const char *)sqlite3_column_text(edges, 0);
    while (at < n && strcmp(nodes[at].texts[0], id) != 0) at++, edge = 0;
    if (at == n || edge == 3) fail("an edge of no task");
    nodes[at].needs[edge++] = copy(edges, 1);
  }
  if (rc != SQLITE_DONE) fail("read edges");
  return n; /* what was read lives as long as the process */
}

static long long used(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static char *repeat(char c, int n) {
  char *s = malloc(n + 1);
  if (!s) fail("memory");
  memset(s, c, n);
  s[n] = 0;
  return s;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: floor status|save|turns|batches|load FILE COUNT\n");
    return 2;
  }
  long count = atol(argv[3]);
  char *prompt = repeat('p', 200), *content = repeat('c', 2000);
  open_file(argv[2]);
  long long cpu = used(), wall = now();
  if (!strcmp(argv[1], "status")) status(count);
  else if (!strcmp(argv[1], "save")) save(count, prompt);
  else if (!strcmp(argv[1], "turns")) turns(count, content, 1);
  else if (!strcmp(argv[1], "batches")) turns(count, content, BATCH);
  else if (!strcmp(argv[1], "load")) count = load();
  else fail("unknown work");
  printf("%ld %lld %lld %s\n", count, used() - cpu, now() - wall, sqlite3_libversion());
  return 0; /* the end of the process closes the file; a checkpoint here would not be part of the work */
}
