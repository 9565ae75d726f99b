# SPDX-License-Identifier: GPL-2.0-or-later
"""
Allocators of the program's own, above malloc, whose functions --alloc and --free name.  What they
do inside does not count, and their blocks are where they are called.
"""
from harness import *

FUNCTIONS = ["--alloc", "pool_get:2", "--free", "pool_put:2", "--alloc", "node_new:0",
             "--free", "node_free", "--alloc", "many_get:6", "--free", "last_put:6",
             "--alloc", "x_malloc", "--free=x_free:1"]
LIVE = {"get": ("pool_get", 40, 60), "node": ("node_new", 1, 60), "many": ("many_get", 64, 60),
        "wrapped": ("x_malloc", 100, 60), "carved": ("pool_get", 48, 1)}


def check_pools(trace, program, threads=1, name="pools.c", options=FUNCTIONS):
    report, truth = trace(program, str(threads), options=options)
    own = sites_in(report, os.path.basename(program))
    runtime = [site for site in report.sites if site not in own]        # thread vectors
    exact(report, truth, runtime, but=[] if trace is trace_attached else ["old_frees"])
    assert trace is trace_launched or not runtime, tops(report)
    for mark, (function, size, blocks) in LIVE.items():
        site = report.at(name, f"LIVE {mark} ")
        equal((site["function"], site["blocks"], site["bytes"]),
              (function, threads * blocks, threads * blocks * size), mark)
    assert "no such function" not in report.stderr, report.stderr
    return report


@both
def test_pools(trace):
    check_pools(trace, build("pools.c", "-pthread"))


@both
def test_pools_of_threads(trace):
    check_pools(trace, build("pools.c", "-pthread"), 8)


@both
def test_pools_optimized(trace):
    """Tail calls instead of frames, clones and copies of static functions."""
    check_pools(trace, build("pools.c", "-pthread", "-O2", out="pools-fast"))
