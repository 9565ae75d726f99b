# SPDX-License-Identifier: GPL-2.0-or-later
"""A fork child runs free with clean code, or with -f gets a report of its own."""
from harness import *


def test_child_runs_free():
    report, truth = trace_attached(build("fork.c"))
    exact(report, truth)
    equal(report.at("fork.c", "LIVE parent")["blocks"], 5, "blocks of the parent")


def followed(options, run_it):
    """The reports by pid, from files named after the pids."""
    remove("followed*")
    pids, parent, truth = run_it([*options, "-f", "-o", "followed", "--format", "json"])
    reports = {int(path.split(".")[-1]): json_in(read(path, "rb")) for path in glob.glob("followed.*")}
    equal(set(reports), {parent, *pids}, "pids with a report")
    exact_json(reports[parent], truth)
    for pid in pids:
        lines = {s["stack"][0]["line"]: s["blocks"] for s in reports[pid]["sites"] if s["stack"]}
        equal(lines.get(line_of("fork.c", "LIVE child")), 1, f"the child's block in {reports[pid]}")
        equal(reports[pid]["target"]["exit"], {"code": 7}, "end of the child")
        equal(reports[pid]["target"]["pid"], pid, "pid of the child")


def exact_json(report, truth):
    found = [report["heap"][k] for k in ("allocs", "frees", "bytes_allocated", "live_bytes")]
    equal(found, [truth[k] for k in ("allocs", "frees", "bytes", "live_bytes")], "parent's figures")


def test_follow_attached():
    def run_it(options):
        target = Target(build("fork.c"), "3", "traced")
        target.expect("ready")
        with unharmed(target.pid):
            trace = Trace(["-p", str(target.pid), *options], json_report=False)
            trace.wait_attached(target.pid)
            target.go()
            children = [int(target.expect("child").split()[1]) for _ in range(3)]
            truth = target.truth()
            trace.stop()
        target.finish()
        return children, target.pid, truth
    followed([], run_it)


def test_follow_launched():
    def run_it(options):
        report = Trace([*options, "--", build("fork.c"), "3", "traced"], json_report=False).wait()
        equal(report.status, 0, f"status {report.stderr}")
        children = [int(pid) for pid in re.findall(r"^child (\d+)", report.stdout, re.M)]
        (parent,) = {int(path.split(".")[-1]) for path in glob.glob("followed.*")} - set(children)
        return children, parent, truth_in(report.stdout)
    followed([], run_it)


def ahead():
    """On one processor, before all others there, but not so its children."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def behind():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def check_late_children(*command):
    """The parent is further on long before a child comes to its first stop; it sees how they
    end."""
    Target(build("busy.c", "-pthread"), "4", preexec_fn=behind).expect("ready")
    target = Target(*command, preexec_fn=ahead)
    target.expect("ready")
    with unharmed(target.pid):
        report, _ = trace_until("done", target)
    target.finish()
    return report


def test_parent_execs_at_once():
    report = check_late_children(build("leaves.c", out="leaves"), "30")
    equal(report.target["execs"], 30, "execs")


def test_parent_unloads_at_once():
    check_late_children(build("unloads.c"), build_library("pool.c"))
