# SPDX-License-Identifier: GPL-2.0-or-later
"""Targets that become not dumpable under a tracer without privilege: nothing more of them can be
opened, and of their fork children nothing at all."""
from harness import *


def unprivileged():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def start(way, *more):
    if os.geteuid():
        raise Skip("not root")
    os.chmod(".", 0o777)
    target = Target(build("hidden.c", "-pthread"), way, *more, preexec_fn=unprivileged)
    target.expect("ready")
    return target


def whole(report):
    """Nothing had to be left behind, or out."""
    for words in ("stays", "stay mapped", "cannot", "could not", "not all of it"):
        assert words not in report.stderr, report.stderr


def check(way):
    target = start(way)
    with unharmed(target.pid):
        report, truth = trace_at_work(target, preexec_fn=unprivileged)
    target.finish()
    # glibc's own: vectors of threads, and what it frees when they end.
    exact(report, truth, sites_in(report, "ld-linux"), but=("old_frees",))
    whole(report)
    equal(os.path.basename(report.target["exe"]), "hidden", "name of the program")


def test_work():
    check("work")


def test_threads():
    check("threads")


def test_fork():
    check("fork")


def test_grandchild():
    check("grandchild")


def test_shared_memory():
    check("clone")
    check("vfork")


def test_programs():
    check("programs")


def test_exec():
    """The new program is dumpable until it says so itself."""
    for way in ("exec-work", "exec-fork"):
        check(way)


def test_duration():
    target = start("work")
    with unharmed(target.pid):
        trace = attach(target.pid, "-d", "3", preexec_fn=unprivileged)
        target.go()
        truth = target.truth()
        report = trace.wait()
    equal(report.status, 0, "exit status")
    target.finish()
    exact(report, truth)
    whole(report)


def test_end():
    target = start("fork")
    trace = attach(target.pid, preexec_fn=unprivileged)
    target.go()
    truth = target.truth()
    target.finish()
    report = trace.wait()
    equal((report.status, report.target["exit"]), (0, {"code": 0}), "ends")
    exact(report, truth)


def check_detach_in_vfork(*more):
    target = start("long-vfork", *more)
    trace = attach(target.pid, preexec_fn=unprivileged)
    target.go()
    target.expect("inside")
    report = trace.stop()
    whole(report)
    target.go()
    target.truth()
    until(lambda: untraced(target.pid), "no tracer")
    equal(patched(target.pid), [], "patched code")
    target.finish()


def test_detach_in_vfork():
    """The parent waits in the kernel, where it cannot be seen."""
    check_detach_in_vfork()


def test_detach_in_vfork_of_visible():
    """Without privilege, the child is watched from call to call."""
    check_detach_in_vfork("visible")


def test_follow():
    for path in glob.glob("followed*"):
        os.unlink(path)
    target = start("fork", "followed")
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid), "-f", "-o", "followed", "--format", "json"],
                      json_report=False, preexec_fn=unprivileged)
        trace.wait_attached(target.pid)
        target.go()
        children = [int(target.expect("child").split()[1]) for _ in range(3)]
        target.truth()
        trace.stop()
    target.finish()
    for pid in children:
        report = json_in(read(f"followed.{pid}", "rb"))
        equal(report["heap"]["allocs"], 100, "allocations of the child")
        equal(report["target"]["exit"], {"code": 7}, "end of the child")
        equal(os.path.basename(report["target"]["exe"]), "hidden", "program of the child")
        (site,) = report["sites"]
        equal((site["blocks"], site["stack"][0]["line"]), (1, line_of("hidden.c", "LIVE child")),
              "site of the child")
        if engine() != "auto":
            equal(report["run"]["engine"], engine(), "engine of the child")
