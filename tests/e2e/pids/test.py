# SPDX-License-Identifier: GPL-2.0-or-later
"""-p more than once, and with the id of a thread."""
from harness import *


def ready(*arguments):
    target = Target(build("count.c", "-pthread"), *arguments)
    target.expect("ready")
    return target


def test_two_targets():
    targets = [ready("2", "200"), ready("1", "500")]
    remove("two.*")
    with unharmed(targets[0].pid), unharmed(targets[1].pid):
        trace = Trace(["-p", str(targets[0].pid), "-p", str(targets[1].pid), "-o", "two.%p",
                       "--format", "json"], json_report=False)
        for target in targets:
            trace.wait_attached(target.pid)
        truths = []
        for target in targets:
            target.go()
            truths.append(target.truth())
        trace.stop()
    for target, truth in zip(targets, truths):
        target.finish()
        report = json_in(read(f"two.{target.pid}", "rb"))
        equal(report["target"]["pid"], target.pid, "pid")
        equal([report["heap"][k] for k in ("allocs", "frees", "live_bytes")],
              [truth[k] for k in ("allocs", "frees", "live_bytes")], "figures")


def test_two_targets_on_a_stream():
    """Without a file: one JSON document a line."""
    targets = [ready("1", "50"), ready("1", "60")]
    trace = Trace(["-p", str(targets[0].pid), "-p", str(targets[1].pid), "--format", "json"],
                  json_report=False)
    for target in targets:
        trace.wait_attached(target.pid)
    truths = {}
    for target in targets:
        target.go()
        truths[target.pid] = target.truth()["allocs"]
    documents = [json_in(line.encode()) for line in trace.stop().stdout.splitlines()]
    equal({d["target"]["pid"]: d["heap"]["allocs"] for d in documents}, truths, "allocs by pid")
    for target in targets:
        target.finish()


def test_thread_id():
    target = ready("3", "100")
    tid = max(threads(target.pid))
    assert tid != target.pid
    with unharmed(target.pid):
        trace = Trace(["-p", str(tid)]).wait_attached(target.pid)
        target.go()
        truth = target.truth()
        report = trace.stop()
    target.finish()
    exact(report, truth)
    equal(report.target["pid"], target.pid, "pid")
