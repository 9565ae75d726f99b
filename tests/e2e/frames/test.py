# SPDX-License-Identifier: GPL-2.0-or-later
"""Each frame has its own line, inlined ones too; C++ and Rust names are readable."""
from harness import *

ENGINES = ("auto",)


def traced():
    report, truth = trace_attached(build("frames.cc", "-O2"))
    exact(report, truth)
    return report


def check(report, mark, expected):
    """expected: (function without parameters, mark of its line, inlined), innermost first."""
    frames = report.at("frames.cc", mark)["stack"][:len(expected)]
    found = [(f["function"].split("(")[0], f["line"], f["inlined"]) for f in frames]
    equal(found, [(name, line_of("frames.cc", m), i) for name, m, i in expected], mark)
    return frames


def test_inlined():
    frames = check(traced(), "LIVE inlined", [
        ("app::Cache<int>::fresh", "LIVE inlined", True),
        ("app::Cache<int>::renew", "CALL fresh", True),
        ("app::Cache<int>::put", "CALL renew", False), ("main", "CALL put", False)])
    equal(len({frame["pc"] for frame in frames[:3]}), 1, "addresses of frames of one function")


def test_template_and_lambda():
    report = traced()
    assert "std::" in report.at("frames.cc", "LIVE inlined")["stack"][2]["function"], tops(report)
    stack = report.at("frames.cc", "LIVE lambda")["stack"]
    assert stack[0]["function"].startswith("app::lambda_caller()::{lambda(unsigned long)"), stack[0]
    equal([f["line"] for f in stack[1:3]],
          [line_of("frames.cc", "CALL lambda */"), line_of("frames.cc", "CALL lambda_caller")], "lines")


def test_rust():
    report = traced()
    equal(functions(report.at("frames.cc", "LIVE old rust"))[0], "crate::pool::grow", "old name")
    equal(functions(report.at("frames.cc", "LIVE new rust"))[0], "crate::pool::take", "new name")


def test_text():
    text = launch(build("frames.cc", "-O2")).stderr
    for words in ("app::Cache<int>::fresh(unsigned long)", "[inlined]",
                  f"frames.cc:{line_of('frames.cc', 'LIVE inlined')}"):
        assert words in text, f"no {words!r} in\n{text}"
