# SPDX-License-Identifier: GPL-2.0-or-later
"""A process whose first thread is a zombie."""
from harness import *


def zombie(pid):
    return re.search(r"^State:\s+Z", read(f"/proc/{pid}/task/{pid}/status"), re.M)


def test_attached():
    target = Target(build("leader.c", "-pthread"))
    target.expect("ready")
    until(lambda: zombie(target.pid), "a dead leader")
    with unharmed(target.pid):
        report, truth = trace_at_work(target)
    target.finish()
    exact(report, truth)
    equal(report.at("leader.c", "LIVE")["blocks"], 100, "blocks")


def test_launched():
    """pthread_exit loads libgcc_s, which allocates: compare the victim's own site."""
    report, truth = trace_launched(build("leader.c", "-pthread"))
    site = report.at("leader.c", "LIVE")
    equal((site["allocs"], site["frees"], site["bytes"]),
          (truth["allocs"], truth["frees"], truth["live_bytes"]), "site")


def check_leaves(*command):
    """The other threads' code stays known: every call counts, and the detach is a prompt one."""
    target = Target(*command)
    target.expect("ready")
    with unharmed(target.pid):
        report, truth = trace_at_work(target)
    target.finish()
    site = report.at("leaves.c", "LIVE")
    equal((site["allocs"], site["frees"], site["bytes"]),
          (truth["allocs"], truth["frees"], truth["live_bytes"]), "site")
    assert report.took_s < 4 * PATIENCE, f"detached in {report.took_s:.1f} s"


def test_leaves_while_traced():
    check_leaves(build("leaves.c", "-pthread"))


def test_leaves_then_libraries_come():
    check_leaves(build("leaves.c", "-pthread"), "libm.so.6", "libz.so.1", "libdl.so.2")


def test_leaves_static():
    check_leaves(build("leaves.c", "-DNO_DLOPEN", "-pthread", "-static", out="leaves-static"))


def test_leaves_static_musl():
    need("musl-gcc")
    check_leaves(build("leaves.c", "-DNO_DLOPEN", "-pthread", "-static", compiler="musl-gcc",
                       out="leaves-musl"))
