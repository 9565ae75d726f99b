# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs that count their own calls, on 1, 8 and 300 threads.

In a launched program glibc itself allocates once for each thread with a new stack: the vector
of its thread-local storage (calloc out of ld.so).  A thread that ends hands glibc's cache of
blocks back through free; those are frees of blocks that no call allocated.
"""
from harness import *


def count(trace, threads, rounds):
    report, truth = trace(build("count.c", "-pthread"), str(threads), str(rounds))
    if trace is trace_attached:
        exact(report, truth)
    else:
        vectors = sites_in(report, "ld-linux")
        equal(sum(site["blocks"] for site in vectors), threads, "vectors allocated by ld.so")
        exact(report, truth, runtime=vectors, but=["old_frees"])


@both
def test_1_thread(trace):
    count(trace, 1, 2000)


@both
def test_8_threads(trace):
    count(trace, 8, 1000)


@both
def test_300_threads(trace):
    count(trace, 300, 20)


@engines("break")
def test_libunwind():
    report, truth = trace_attached(build("count.c", "-pthread"), "8", "300",
                                   options=["--unwinder", "libunwind"])
    exact(report, truth)
