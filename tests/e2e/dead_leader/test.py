# SPDX-License-Identifier: GPL-2.0-or-later
"""A process whose first thread is a zombie."""
from harness import *


def zombie(pid):
    return re.search(r"^State:\s+Z", read(f"/proc/{pid}/task/{pid}/status"), re.M)


def test_attached():
    target = Target(build("leader.c", "-pthread"))
    target.expect("ready")
    until(lambda: zombie(target.pid), "a dead leader")
    with unharmed(target.pid):
        trace = attach(target.pid)
        target.go()
        truth = target.truth()
        report = trace.stop()
    target.finish()
    exact(report, truth)
    equal(report.at("leader.c", "LIVE")["blocks"], 100, "blocks")


def test_launched():
    """pthread_exit loads libgcc_s, which allocates: compare the victim's own site."""
    report, truth = trace_launched(build("leader.c", "-pthread"))
    site = report.at("leader.c", "LIVE")
    equal((site["allocs"], site["frees"], site["bytes"]),
          (truth["allocs"], truth["frees"], truth["live_bytes"]), "site")
