# SPDX-License-Identifier: GPL-2.0-or-later
"""However the target ends, the end is told as it was, with the full report."""
from harness import *

ENDS = {"exit": {"code": 7}, "segv": {"signal": 11}, "kill": {"signal": 9}, "term": {"signal": 15},
        "trap": {"signal": 5}, "abort": {"signal": 6}}


def check(report, truth, way):
    exact(report, truth)
    equal(report.target["exit"], ENDS[way], "end of the target")
    equal(report.at("ends.c", "LIVE")["blocks"], 8, "blocks")


def test_launched():
    program = build("ends.c")
    for way, end in ENDS.items():
        report = launch(program, way, preexec_fn=no_core)
        check(report, truth_in(report.stdout), way)
        equal(report.status, end.get("code", 128 + end.get("signal", 0)), f"exit status for {way}")


def no_core():
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def test_attached():
    program = build("ends.c")
    for way, end in ENDS.items():
        target = Target(program, way, preexec_fn=no_core)
        target.expect("ready")
        trace = attach(target.pid)
        target.go()
        truth = target.truth()
        report = trace.wait()
        check(report, truth, way)
        equal(report.status, 0, "exit status of memtrace")
        equal(target.process.wait(WAIT_S), end.get("code", -end.get("signal", 0)), "the target's own")


def test_killed_by_another():
    target = Target(build("ends.c"), "wait")
    target.expect("ready")
    trace = attach(target.pid)
    target.go()
    truth = target.truth()
    target.process.kill()
    check(trace.wait(), truth, "kill")
    equal(target.process.wait(WAIT_S), -9, "end of the target")
