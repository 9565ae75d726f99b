# SPDX-License-Identifier: GPL-2.0-or-later
"""A wait that only handlers may interrupt is not interrupted by a tracer that comes and goes."""
from harness import *


def trace_briefly(target, times):
    for _ in range(times):
        report = Trace(["-q", "-d", "0.03", "-p", str(target.pid)]).wait(WAIT_S)
        if target.process.poll() is not None:
            target.expect("what was wrong")
        equal(report.status, 0, f"exit status {report.stderr}")


def test_every_call_that_waits():
    """Each goes on to wait, and gets what it waits for; 5 traces come and go meanwhile."""
    ways = [source(f"{name}.c") for name in ("pipes", "sockets", "queues", "locks", "events")]
    target = Target(build("waits.c", *ways, "-pthread"))
    target.expect("ready")
    with unharmed(target.pid):
        trace_briefly(target, 5)
    target.finish()


def test_handlers_still_interrupt():
    target = Target(build("ticks.c"), "1.5")
    target.expect("ready")
    with unharmed(target.pid):
        target.go()
        trace_briefly(target, 8)
        target.expect("done")
    target.finish()
