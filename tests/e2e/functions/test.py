# SPDX-License-Identifier: GPL-2.0-or-later
"""Every function of glibc's allocator is counted, and named where its block lives on."""
from harness import *

SIZES = {"malloc": 11, "calloc": 12, "realloc": 13, "reallocarray": 14, "memalign": 15,
         "aligned_alloc": 256, "posix_memalign": 17, "valloc": 18, "pvalloc": 4096}


@both
def test_functions(trace):
    report, truth = trace(build("functions.c"))
    exact(report, truth)
    for name, size in SIZES.items():
        site = report.at("functions.c", f"LIVE {name} ")
        equal((site["blocks"], site["bytes"]), (1, size), f"kept by {name}")
        # glibc's aligned_alloc is memalign under another name, reallocarray jumps to realloc.
        names = {name} | {"aligned_alloc": {"memalign"}, "memalign": {"aligned_alloc"},
                          "reallocarray": {"realloc"}}.get(name, set())
        assert site["function"] in names, site
    for mark in ("LIVE nothing", "LIVE zero", "LIVE mapped"):
        equal(report.at("functions.c", mark)["blocks"], 1, mark)
    known = {function["name"] for function in report.run["functions"]}
    assert {"malloc", "calloc", "realloc", "free", "posix_memalign"} <= known, known
