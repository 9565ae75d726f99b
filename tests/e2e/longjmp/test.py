# SPDX-License-Identifier: GPL-2.0-or-later
"""
siglongjmp out of a handler that interrupted a call: the call never returns, and must not be
taken for a later one.  Each jump can leave one call uncounted on either side, not more.
"""
from harness import *

JUMPS = 400


@both
def test_jumps(trace):
    report, truth = trace(build("jump.c", source("arena.c")))
    for key in ("allocs", "frees", "live_blocks"):
        difference = report.heap[key] - truth[key]
        assert abs(difference) <= 2 * JUMPS, f"{key} off by {difference}: {truth}"
    assert report.heap["allocs"] > JUMPS, report.heap
    site = report.at("jump.c", "LIVE")
    equal((site["blocks"], site["allocs"]), (100, 100), "blocks after the jumps")
