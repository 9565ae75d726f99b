# SPDX-License-Identifier: GPL-2.0-or-later
"""
Guests: processes that run in the target's memory, from vfork or clone(CLONE_VM).  What they
meet there is memtrace's, whoever began first and whoever ends last.
"""
from harness import *


def test_detach_while_a_child_allocates():
    target = Target(build("vfork.c"), "2.2")
    target.expect("ready")
    with unharmed(target.pid):
        target.go()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            report = Trace(["-q", "-d", "0.03", "-p", str(target.pid)]).wait(WAIT_S)
            equal(report.status, 0, f"exit status {report.stderr}")
        target.expect("done")
    target.finish()


def guest_of(target):
    pid = int(target.expect("guest").split()[1])
    target.expect("ready")
    return pid


def check_guest(way):
    target = Target(build("guest.c"), way)
    guest = guest_of(target)
    with unharmed(target.pid), unharmed(guest):
        report, truth = trace_at_work(target)
    target.finish()
    exact(report, truth)
    equal(report.at("guest.c", "LIVE")["blocks"], 50, "blocks")


def test_vforked_before():
    check_guest("vfork")


def test_cloned_before():
    check_guest("clone")


def test_detach_from_an_orphan():
    """The host is gone, its guest is not."""
    target = Target(build("guest.c"), "orphan")
    guest = guest_of(target)
    with unharmed(guest):
        trace = attach(target.pid)
        target.go()
        truth = target.truth()
        equal(target.process.wait(WAIT_S), 0, "end of the host")
        report = trace.stop()
    target.finish()
    exact(report, truth)
    equal(report.target["exit"], {"code": 0}, "end of the host")


def test_orphan_ends():
    """The trace ends with the last that runs in the memory; the end told is the host's."""
    target = Target(build("guest.c"), "orphan")
    guest_of(target)
    trace = attach(target.pid)
    target.go()
    truth = target.truth()
    target.finish()
    report = trace.wait(WAIT_S)
    equal(report.status, 0, "exit status")
    equal(report.target["exit"], {"code": 0}, "end of the host")
    equal(report.heap["allocs"], truth["allocs"] + 1000, "allocations")
    equal(report.heap["live_bytes"], truth["live_bytes"], "bytes that are left")


def check_follow(program):
    """What the guest had begun in its host's memory is not looked for in its own."""
    remove("followed.*")
    target = Target(build("inside.cc", build_library("deleter.cc")), program)
    target.expect("ready")
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid), "-f", "-o", "followed.%p", "--format", "json"],
                      json_report=False).wait_attached(target.pid)
        target.go()
        target.expect("done")
        trace.stop()
    target.finish()
    reports = {int(path.split(".")[1]): json_in(read(path, "rb")) for path in glob.glob("followed.*")}
    del reports[target.pid]
    equal(len(reports), 5, "reports of children")
    for report in reports.values():
        equal(report["target"]["exit"], {"code": 7}, "end of the child")
        equal((report["heap"]["allocs"], report["heap"]["live_bytes"]), (101, 99), "figures")


def test_follow_from_inside_a_call():
    check_follow(build("ends.c", out="ends"))


def test_follow_from_inside_a_call_musl():
    need("musl-gcc")
    check_follow(build("ends.c", "-static", compiler="musl-gcc", out="ends-musl"))
