/*
 * bare_sqlite.c - the limit for stored jobs: COUNT rows with spec and result, 256 in a transaction,
 * write-ahead log, synchronous=FULL. Prints the seconds.
 *
 *	bare_sqlite FILE COUNT
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GROUP 256

static sqlite3 *db;

static void run(const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
		fprintf(stderr, "bare_sqlite: %s: %s\n", sql, why);
		exit(1);
	}
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	sqlite3_stmt *insert;
	long          count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	double        start;

	if (count <= 0 || sqlite3_open(argv[1], &db) != SQLITE_OK) {
		fputs("usage: bare_sqlite FILE COUNT\n", stderr);
		return 2;
	}
	run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA locking_mode=EXCLUSIVE;"
	    "CREATE TABLE job(id INTEGER PRIMARY KEY, status INTEGER, spec TEXT, result TEXT)");
	if (sqlite3_prepare_v2(db, "INSERT INTO job VALUES(?1, 2, ?2, ?3)", -1, &insert, NULL) !=
	    SQLITE_OK)
		return 1;
	start = now_s();
	for (long i = 0; i < count; i++) {
		if (i % GROUP == 0)
			run(i == 0 ? "BEGIN" : "COMMIT; BEGIN");
		sqlite3_bind_int64(insert, 1, i + 1);
		sqlite3_bind_text(insert, 2, "{\"value\":1000000}", -1, SQLITE_STATIC);
		sqlite3_bind_text(insert, 3, "1000000", -1, SQLITE_STATIC);
		if (sqlite3_step(insert) != SQLITE_DONE)
			return 1;
		sqlite3_reset(insert);
	}
	run("COMMIT");
	printf("%.6f\n", now_s() - start);
	sqlite3_finalize(insert);
	sqlite3_close(db);
	return 0;
}
