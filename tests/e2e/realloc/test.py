# SPDX-License-Identifier: GPL-2.0-or-later
"""realloc: NULL, 0, growing, shrinking, moving, failing, and of blocks from before the attach."""
from harness import *


def live(report, mark):
    site = report.at("realloc.c", mark)
    return site["blocks"], site["bytes"], site["function"]


def check(report, truth):
    exact(report, truth)
    equal(live(report, "LIVE small"), (1, 77, "realloc"), "block made smaller")
    equal(live(report, "LIVE failed"), (1, 50, "malloc"), "block whose realloc failed")
    equal(live(report, "LIVE empty"), (1, 0, "realloc"), "block of no bytes")


@both
def test_cases(trace):
    check(*trace(build("realloc.c")))


def test_old_blocks():
    report, truth = trace_attached(build("realloc.c"), "old")
    check(report, truth)
    equal(live(report, "LIVE old"), (1, 3 * 4096, "realloc"), "block from before the attach")
