# SPDX-License-Identifier: GPL-2.0-or-later
"""vfork, posix_spawn and system: the children are not disturbed, the parent stays exact."""
from harness import *


@both
def test_children(trace):
    report, truth = trace(build("spawn.c"))
    exact(report, truth)
    equal(report.at("spawn.c", "LIVE")["blocks"], 10, "blocks")


@both
def test_vfork_child_allocates(trace):
    exact(*trace(build("spawn.c"), "allocating"))


def test_follow():
    remove("followed.*")
    target = Target(build("spawn.c"))
    target.expect("ready")
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid), "-f", "-o", "followed.%p", "--format", "json"],
                      json_report=False).wait_attached(target.pid)
        target.go()
        truth = target.truth()
        trace.stop()
    target.finish()
    reports = {int(path.split(".")[1]): json_in(read(path, "rb")) for path in glob.glob("followed.*")}
    parent = reports.pop(target.pid)
    equal([parent["heap"][k] for k in ("allocs", "frees", "live_bytes")],
          [truth[k] for k in ("allocs", "frees", "live_bytes")], "figures of the parent")
    equal(len(reports), 30, "reports of children")
    for report in reports.values():
        assert "code" in report["target"]["exit"], report["target"]
        assert os.path.realpath("/bin/sh") == report["target"]["exe"], report["target"]
