# SPDX-License-Identifier: GPL-2.0-or-later
"""A hundred times attached to and let go of in the middle of its work, the target is unharmed."""
from harness import *

CYCLES = 100


def check_balance(report):
    """Whether all was seen; what was not, where a tracer is slower than nine threads, is told."""
    heap, dropped = report.heap, report.run["dropped"]
    equal(heap["allocs"] - heap["frees"] - heap["missed_frees"], heap["live_blocks"], "balance")
    assert dropped or not heap["missed_frees"], f"missed without a drop: {heap}"
    assert not dropped or report.json["verdict"] == "incomplete", report.json["verdict"]
    return not dropped


def test_cycles():
    target = Target(build("restless.c", "-pthread"))
    target.expect("ready")
    complete = 0
    for i in range(CYCLES):
        with unharmed(target.pid):
            report = Trace(["-p", str(target.pid), "-d", f"0.{i % 3}5", "-q"]).wait()
            equal(report.status, 0, f"exit status of cycle {i}: {report.stderr}")
            assert report.heap["allocs"] > 0, f"nothing seen in cycle {i}"
            complete += check_balance(report)
        equal(len(threads(target.pid)), 9, "threads")
    assert complete > CYCLES / 2, f"{complete} of {CYCLES} reports are complete"
    target.finish()


def test_interrupted_cycles():
    """The same with a signal to memtrace at any moment, also before it has attached."""
    target = Target(build("restless.c", "-pthread"))
    target.expect("ready")
    ends = []
    for i in range(20):
        with unharmed(target.pid):
            trace = Trace(["-p", str(target.pid)])
            time.sleep(0.03 * i)
            trace.process.send_signal(signal.SIGINT)
            ends.append(trace.wait().status)
            assert ends[-1] in (0, -2, 125, 128 + 2), ends
    assert 0 in ends, ends
    target.finish()
