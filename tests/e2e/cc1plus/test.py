# SPDX-License-Identifier: GPL-2.0-or-later
"""The compiler proper: a large program that is fast and never frees all; its output is the same."""
from harness import *


def compile_with(start, out):
    compiler = run("g++", "-print-prog-name=cc1plus").strip()
    start(compiler, "-quiet", "-O1", "-std=c++17", source("small.cc"), "-o", out)
    return read(out)


def test_same_output():
    need("g++")
    reports = []
    native = compile_with(run, "native.s")
    traced = compile_with(lambda *command: reports.append(launch(*command)), "traced.s")
    equal(reports[0].status, 0, f"exit status {reports[0].stderr}")
    equal(traced, native, "assembly")
    assert reports[0].heap["allocs"] > 5000, reports[0].heap
    whole = [site for site in reports[0].sites if len(site["stack"]) == 64 or
             any("start" in (name or "") or "_dl_init" in (name or "") for name in functions(site))]
    assert len(whole) > 0.9 * len(reports[0].sites) > 100, (len(whole), len(reports[0].sites))
