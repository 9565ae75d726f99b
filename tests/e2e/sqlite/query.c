/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work on a database in memory, with one result that is never given back. */
#include <sqlite3.h>

#include "truth.h"

static sqlite3 *db;

static void execute(const char *sql)
{
	MUST(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static char *forgotten(void)
{
	return sqlite3_mprintf("%1000d", 7);	/* LEAK */
}

int main(void)
{
	sqlite3_stmt *sum;

	stage("ready");
	MUST(sqlite3_open(":memory:", &db) == SQLITE_OK);
	execute("create table t(a integer primary key, b text)");
	for (int i = 0; i < 300; i++)
		execute("insert into t(b) values(hex(randomblob(20)))");
	execute("create index i on t(b)");
	MUST(sqlite3_prepare_v2(db, "select sum(a), count(distinct b) from t", -1, &sum, NULL) == SQLITE_OK);
	MUST(sqlite3_step(sum) == SQLITE_ROW);
	MUST(sqlite3_column_int(sum, 0) == 300 * 301 / 2 && sqlite3_column_int(sum, 1) == 300);
	MUST(strlen(forgotten()) == 1000);
	sqlite3_finalize(sum);
	MUST(sqlite3_close(db) == SQLITE_OK);
	sqlite3_shutdown();
	tell_truth();
	stage("done");
	return correct();
}
