# SPDX-License-Identifier: GPL-2.0-or-later
"""Breakpoints need three stops for malloc and free: two for the one, one for the other."""
from harness import *

ENGINES = ("break",)


def test_three_a_pair():
    report, truth = trace_attached(build("pairs.c"), "3000")
    exact(report, truth)
    equal(report.run["stops"], 3 * 3000, "stops")
    equal(report.run["engine"], "break", "engine")
    equal(report.run["events"], 2 * 3000, "events")
