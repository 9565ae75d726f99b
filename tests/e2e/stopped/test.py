# SPDX-License-Identifier: GPL-2.0-or-later
"""A target that is stopped can be attached to, and is stopped afterwards as it was before."""
from harness import *


def stopped_target():
    target = Target(build("count.c", "-pthread"), "4", "100")
    target.expect("ready")
    os.kill(target.pid, signal.SIGSTOP)
    until(lambda: stopped(target.pid) == set(threads(target.pid)), "a stopped target")
    return target


def test_stays_stopped():
    target = stopped_target()
    with unharmed(target.pid, was_stopped=True):
        trace = attach(target.pid, "-d", "0.5")
        report = trace.wait()
        equal(report.status, 0, "exit status")
        equal(report.heap["allocs"], 0, "allocations of a stopped target")
    os.kill(target.pid, signal.SIGCONT)
    target.go()
    target.truth()
    target.finish()


def test_continued_while_traced():
    target = stopped_target()
    with unharmed(target.pid):
        trace = attach(target.pid)
        os.kill(target.pid, signal.SIGCONT)
        target.go()
        truth = target.truth()
        report = trace.stop()
    target.finish()
    exact(report, truth)


def test_stopped_while_traced():
    target = Target(build("count.c", "-pthread"), "4", "100")
    target.expect("ready")
    with unharmed(target.pid):
        trace = attach(target.pid)
        for _ in range(3):
            os.kill(target.pid, signal.SIGSTOP)
            until(lambda: stopped(target.pid) == set(threads(target.pid)), "a stopped target")
            os.kill(target.pid, signal.SIGCONT)
        target.go()
        truth = target.truth()
        report = trace.stop()
    target.finish()
    exact(report, truth)


def test_detach_while_stopped():
    target = Target(build("count.c", "-pthread"), "4", "100")
    target.expect("ready")
    with unharmed(target.pid, was_stopped=True):
        trace = attach(target.pid)
        os.kill(target.pid, signal.SIGSTOP)
        until(lambda: stopped(target.pid) == set(threads(target.pid)), "a stopped target")
        trace.stop()
    os.kill(target.pid, signal.SIGCONT)
    target.go()
    target.truth()
    target.finish()
