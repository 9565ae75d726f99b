# SPDX-License-Identifier: GPL-2.0-or-later
"""Mallocs of 10, 20 and 30 bytes, frees of the first and the third, in all three formats."""
from harness import *


def test_json():
    report = launch(build("three.c"))
    equal(report.status, 0, "exit status")
    equal(report.stdout, "", "standard output, which is the command's")
    exact(report, {"allocs": 3, "frees": 2, "bytes": 60, "live_blocks": 1, "live_bytes": 20,
                   "failed": 0, "old_frees": 0})
    equal(report.heap["peak_bytes"], 60, "peak")
    site = report.at("three.c", "LEAK")
    equal((site["blocks"], site["bytes"], site["function"]), (1, 20, "malloc"), "the leak")
    equal(site["stack"][0]["function"], "main", "its function")
    equal((report.json["verdict"], site["kind"]), ("leak", "definite"), "verdict")
    equal(report.target["exit"], {"code": 0}, "end of the target")


def test_text():
    text = launch(build("three.c")).stderr
    assert re.match(r"LEAK: three \(pid \d+\) lost 20 bytes in 1 block by its exit \(status 0\), at "
                    r"1 place\.\n      Nothing points to it any more\.\n", text), text
    for words in ("   definitely lost:              20 bytes in           1 blocks\n",
                  "1. LOST 20 bytes in 1 block\n", "in use at exit: 20 bytes in 1 blocks",
                  "total heap usage: 3 allocs, 2 frees, 60 bytes allocated",
                  f"three.c:{line_of('three.c', 'LEAK')}", "char *b = malloc(20);"):
        assert words in text, f"no {words!r} in\n{text}"


def test_unchecked():
    report = launch(build("three.c"), options=["--leak-check=no"])
    equal((report.json["verdict"], report.at("three.c", "LEAK")["kind"]), ("unfreed", "unfreed"), "leak")
    for words in ("UNFREED: three (pid ", "nothing has looked whether anything still pointed to it",
                  "1. UNFREED 20 bytes in 1 block\n"):
        assert words in report.stderr, f"no {words!r} in\n{report.stderr}"


def test_summary():
    text = launch(build("three.c"), options=["--leak-check=summary"]).stderr
    assert "definitely lost:              20 bytes" in text and "three.c" not in text, text


def test_text_is_the_default():
    report = launch(build("three.c"), json_report=False)
    assert "total heap usage: 3 allocs, 2 frees, 60 bytes allocated" in report.stderr, report.stderr


def test_folded():
    Trace(["--format", "folded:folded", "--", build("three.c")], json_report=False).wait()
    lines = read("folded").splitlines()
    equal(len(lines), 1, f"lines of {lines}")
    stack, bytes_live = lines[0].rsplit(" ", 1)
    equal(bytes_live, "20", "bytes")
    assert "main" in stack.split(";"), lines
