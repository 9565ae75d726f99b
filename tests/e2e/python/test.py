# SPDX-License-Identifier: GPL-2.0-or-later
"""A Python interpreter on malloc: the same output as without memtrace, the planted leak found."""
from harness import *

ENVIRONMENT = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def command(*more):
    return [PYTHON, "-S", source("script.py"), build_library("planted.c"), *more]


def native():
    return run(*command(), env=dict(os.environ, **ENVIRONMENT))


def check(report):
    site = report.at("planted.c", "LEAK")
    equal((site["blocks"], site["bytes"]), (3, 3000 + 30), "the planted leak")
    assert report.heap["allocs"] > 5000, report.heap
    assert "main" in functions(site) or "_start" in functions(site) or len(site["stack"]) == 64, site


def test_launched():
    report = launch(*command(), env=ENVIRONMENT)
    equal((report.status, report.stdout), (0, native()), "end of the program")
    check(report)


def test_attached():
    target = Target(*command("wait"), env=ENVIRONMENT)
    target.expect("ready")
    with unharmed(target.pid):
        trace = attach(target.pid)
        target.go()
        digest = target.expect("digest", TEST_LIMIT_S)
        target.expect("done")
        report = trace.stop()
    target.finish()
    equal(digest + "\n", native(), "output")
    check(report)
