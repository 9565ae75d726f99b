# SPDX-License-Identifier: GPL-2.0-or-later
"""A launched program is traced from before its first constructor until after its last destructor."""
from harness import *


def test_constructors():
    library = build_library("library.c")
    report = launch(build("early.c", library, "-Wl,-rpath," + os.getcwd()))
    equal(report.status, 0, "status")
    exact(report, {"allocs": 7, "frees": 4, "bytes": 91 + 92 + 93 + 3 * 5 + 6, "live_blocks": 3,
                   "live_bytes": 91 + 92 + 93})
    for mark, name, function in (("LIVE library", "library.c", "library_constructor"),
                                 ("LIVE program", "early.c", "own_constructor"),
                                 ("LIVE main", "early.c", "main")):
        equal(functions(report.at(name, mark))[0], function, mark)


def test_static():
    report = launch(build("early.c", source("library.c"), "-static", out="early-static"))
    equal(report.status, 0, "status")
    equal(report.at("library.c", "LIVE library")["bytes"], 91, "library's constructor")
    equal(report.at("early.c", "LIVE program")["bytes"], 92, "own constructor")
