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
