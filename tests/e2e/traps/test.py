# SPDX-License-Identifier: GPL-2.0-or-later
"""Breakpoints in a program that handles, ignores or blocks SIGTRAP, with one pending or not."""
from harness import *


def check(trace, how):
    report, truth = trace(build("traps.c"), how)
    exact(report, truth)
    equal(report.at("traps.c", "LIVE")["blocks"], 100, "blocks")


@both
def test_handled(trace):
    check(trace, "h")


@both
def test_ignored(trace):
    check(trace, "i")


@both
def test_blocked(trace):
    check(trace, "b")


@both
def test_blocked_and_pending(trace):
    check(trace, "bt")


@both
def test_handled_blocked_and_pending(trace):
    check(trace, "hbt")
