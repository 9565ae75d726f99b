# SPDX-License-Identifier: GPL-2.0-or-later
"""
operator new and delete.  libstdc++'s are plain callers of malloc and free, other allocators
bring their own.  A launched C++ program has libstdc++'s pool for exceptions besides.
"""
from harness import *

FLAGS = ["-std=c++17", "-fno-allocation-dce"]
JEMALLOC = {"LD_PRELOAD": "libjemalloc.so.2"}


def check(report, truth, runtime=(), but=()):
    exact(report, truth, runtime, but)
    for mark, blocks, size in (("LIVE cell", 5, 24), ("LIVE aligned", 5, 192)):
        site = report.at("cxx.cc", mark)
        equal((site["blocks"], site["bytes"]), (blocks, blocks * size), mark)
        assert site["function"].startswith("operator new"), site["function"]


@both
def test_libstdcxx(trace):
    report, truth = trace(build("cxx.cc", *FLAGS), "throw")
    check(report, truth, sites_in(report, "libstdc++"))
    equal(report.at("cxx.cc", "LIVE thrown")["blocks"], 10, "blocks after exceptions")


def own_operators(preload):
    check(*trace_attached(build("cxx.cc", *FLAGS), env={"LD_PRELOAD": preload}))


def test_jemalloc():
    own_operators("libjemalloc.so.2")


def test_tcmalloc():
    own_operators("libtcmalloc_minimal.so.4")


def test_mimalloc():
    own_operators("libmimalloc.so.2.0")


def test_throw_out_of_an_own_operator():
    """jemalloc's operator new makes the exception within its own call, and never returns: the
    calls after it must be seen nevertheless."""
    report, _ = trace_attached(build("cxx.cc", *FLAGS), "throw", env=JEMALLOC)
    equal(report.at("cxx.cc", "LIVE thrown")["blocks"], 10, "blocks after exceptions")
    equal(report.at("cxx.cc", "LIVE cell")["blocks"], 5, "blocks before them")
