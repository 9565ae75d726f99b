# SPDX-License-Identifier: GPL-2.0-or-later
"""The first word of a report is its verdict: growing, nothing seen, nothing left."""
from harness import *


def test_growing():
    report, truth = trace_attached(build("verdict.c"), "grow", "4", options=["-d", "4"])
    equal(report.json["verdict"], "growing", "verdict")
    assert report.at("verdict.c", "GROWS")["growing"]
    assert report.stdout.startswith("GROWING"), report.stdout
    assert 3.5e9 < report.run["duration_ns"] < 6e9 * PATIENCE, report.run
    assert 0 <= truth["allocs"] - report.heap["allocs"] < 100 * PATIENCE, (truth, report.heap)


def test_not_growing():
    report, _ = trace_attached(build("verdict.c"), "level", "2")
    equal(report.json["verdict"], "no-leak-seen", "verdict")
    assert report.stdout.startswith("NO LEAK SEEN"), report.stdout


def test_all_freed():
    report, _ = trace_launched(build("verdict.c"), "level", "0.2")
    equal(report.json["verdict"], "no-leak", "verdict")
    assert "NO LEAK: " in report.stderr, report.stderr
