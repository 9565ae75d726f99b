# SPDX-License-Identifier: GPL-2.0-or-later
"""A library that is closed before the end keeps its names, also with another in its place."""
from harness import *


@both
def test_closed(trace):
    first = build_library("library.c", "-DFIRST", out="libfirst.so")
    second = build_library("library.c", out="libsecond.so")
    report, _ = trace(build("unload.c"), first, second)
    for mark, library, size in (("LEAK first", first, 71), ("LEAK second", second, 72)):
        line = line_of("library.c", mark)
        sites = [s for s in report.sites if is_at(s["stack"][:1], "library.c", line)]
        equal((sum(s["blocks"] for s in sites), sum(s["bytes"] for s in sites)), (5, 5 * size), mark)
        equal({s["stack"][0]["module"] for s in sites}, {library}, f"module of {mark}")
        equal({f"{s['stack'][1]['function']}" for s in sites} <= {"leak", "main"}, True, "caller")
