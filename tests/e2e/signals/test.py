# SPDX-License-Identifier: GPL-2.0-or-later
"""
Handlers that allocate a thousand times a second, in the middle of calls of the allocator too:
nested calls are kept apart, and every one is counted.
"""
from harness import *


def check(report, truth):
    exact(report, truth)
    line = line_of("signals.c", "LIVE handler")
    assert truth["live_blocks"] > 10, truth
    for site in report.sites:           # one for each place where a handler came in between
        assert is_at(site["stack"][:1], "signals.c", line), site
        names = functions(site)
        assert names[0] == "on_timer" and "main" in names, names


@both
def test_handlers(trace):
    check(*trace(build("signals.c", source("arena.c")), "1.5"))


@both
def test_alternate_stack(trace):
    check(*trace(build("signals.c", source("arena.c")), "1.5", "stack"))


def test_all_signals_reach_the_target():
    """As many of each queued signal as were sent, with their values."""
    target = Target(build("queue.c"))
    target.expect("ready")
    with unharmed(target.pid):
        trace = attach(target.pid)
        target.go()
        target.expect("received 3000")
        trace.stop()
    target.finish()


@both
def test_handlers_that_free(trace):
    """A free that a signal comes upon is told once, whatever the handler frees."""
    exact(*trace(build("frees.c"), "1"))


@both
def test_handlers_that_free_on_another_stack(trace):
    exact(*trace(build("frees.c"), "1", "stack"))


def test_each_as_it_was_sent():
    """Who sent it, with what value, at what address: also SIGTRAP of the program's own."""
    target = Target(build("siginfo.c", "-pthread"))
    target.expect("ready")
    with unharmed(target.pid):
        for _ in range(8):
            report = Trace(["-q", "-d", "0.1", "-p", str(target.pid)]).wait(WAIT_S)
            equal(report.status, 0, f"exit status {report.stderr}")
            assert target.process.poll() is None, target.expect("what was wrong")
    target.finish()
