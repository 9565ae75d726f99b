# SPDX-License-Identifier: GPL-2.0-or-later
"""A wait that only handlers may interrupt is not interrupted by a tracer that comes and goes."""
from harness import *


def trace_briefly(target, times):
    for _ in range(times):
        report = Trace(["-q", "-d", "0.03", "-p", str(target.pid)]).wait(WAIT_S)
        if target.process.poll() is not None:
            target.expect("what was wrong")
        equal(report.status, 0, f"exit status {report.stderr}")


def check(call):
    target = Target(build("waits.c", "-pthread"), call)
    target.expect("ready")
    with unharmed(target.pid):
        trace_briefly(target, 5)
        trace = attach(target.pid)
        trace.stop()
    target.finish()


def test_epoll_wait():
    check("epoll_wait")


def test_sigtimedwait():
    check("wait for a signal")


def test_recv_with_timeout():
    check("recv")


def test_semtimedop():
    check("semtimedop")


def test_handlers_still_interrupt():
    target = Target(build("ticks.c"), "1.5")
    target.expect("ready")
    with unharmed(target.pid):
        target.go()
        trace_briefly(target, 8)
        target.expect("done")
    target.finish()
