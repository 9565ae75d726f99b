# SPDX-License-Identifier: GPL-2.0-or-later
"""Tracing goes on in the new image, and the report is of the last one."""
from harness import *


def check(trace, way, program):
    report, truth = trace(program, way)
    exact(report, truth, sites_of(report, "_dl_"))      # a static program's own loader
    equal(report.target["execs"], 1, "execs")
    equal(report.at("exec.c", "LIVE second")["blocks"], 10, "blocks of the second image")


@both
def test_exec(trace):
    check(trace, "leader", build("exec.c", "-pthread"))


@both
def test_exec_from_a_thread(trace):
    check(trace, "thread", build("exec.c", "-pthread"))


@both
def test_exec_static(trace):
    check(trace, "leader", build("exec.c", "-pthread", "-static", out="exec-static"))


def test_exec_while_attaching():
    """Whatever an exec comes upon, the new program is left with its own code: it is traced, or
    memtrace says that the one it looked at is gone."""
    late, busy = build("late.c"), build("busy.c", "-pthread")
    for delay_ms in range(0, 30, 2):
        target = Target(late, str(delay_ms * 1000), busy)
        target.expect("late")
        target.go()
        report = Trace(["-p", str(target.pid), "-d", "0.02"]).wait(WAIT_S)
        target.expect("ready")
        assert report.status == 0 or f"{target.pid}" in report.stderr, report.stderr
        assert untraced(target.pid), "still traced"
        equal(patched(target.pid), [], f"code that is not the original, exec after {delay_ms} ms")
        target.finish()
