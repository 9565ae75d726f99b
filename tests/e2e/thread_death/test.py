# SPDX-License-Identifier: GPL-2.0-or-later
"""
Threads that appear and end while they are traced.  Each new stack costs glibc one vector out
of ld.so; a thread that ends hands the cache of its arena back (frees that no call allocated).
"""
from harness import *


@both
def test_waves(trace):
    report, truth = trace(build("threads.c", "-pthread"))
    exact(report, truth, sites_in(report, "ld-linux"), but=["old_frees"])
    equal(report.at("threads.c", "LIVE")["blocks"], 10 * 8 * 4, "blocks")
