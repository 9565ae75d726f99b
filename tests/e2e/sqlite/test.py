# SPDX-License-Identifier: GPL-2.0-or-later
"""SQLite as a library with a planted leak, and as its shell."""
from harness import *

SQL = """
create table words(id integer primary key, word text, n integer);
with recursive c(i) as (select 1 union all select i + 1 from c where i < 2000)
  insert into words(word, n) select printf('%x', i * 7919), i % 17 from c;
create index by_word on words(word);
select n, count(*), sum(id), max(word) from words group by n order by n;
select count(*) from words a join words b on a.word = b.word;
"""


@both
def test_library(trace):
    report, _ = trace(build("query.c", "-lsqlite3"))
    line = line_of("query.c", "LEAK")
    leaks = [site for site in report.sites if is_at(site["stack"], "query.c", line)]
    equal(sum(site["blocks"] for site in leaks), 1, f"blocks planted {tops(report)}")
    assert leaks[0]["bytes"] >= 1001, leaks
    assert report.heap["allocs"] > 1000, report.heap


def test_shell():
    need("sqlite3")
    with open("script.sql", "w") as file:
        file.write(SQL)
    with open("script.sql") as script:
        native = subprocess.run(["sqlite3", "-batch", ":memory:"], stdin=script,
                                capture_output=True, text=True, check=True)
    with open("script.sql") as script:
        report = launch("sqlite3", "-batch", ":memory:", stdin=script)
    equal((report.status, report.stdout), (0, native.stdout), "output of the shell")
    assert report.heap["allocs"] > 500, report.heap
