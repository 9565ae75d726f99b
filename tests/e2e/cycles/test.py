# SPDX-License-Identifier: GPL-2.0-or-later
"""A hundred times attached to and let go of in the middle of its work, the target is unharmed."""
from harness import *

CYCLES = 100


def test_cycles():
    target = Target(build("restless.c", "-pthread"))
    target.expect("ready")
    for i in range(CYCLES):
        with unharmed(target.pid):
            report = Trace(["-p", str(target.pid), "-d", f"0.{i % 3}5", "-q"]).wait()
            equal(report.status, 0, f"exit status of cycle {i}: {report.stderr}")
            assert report.heap["allocs"] > 0, f"nothing seen in cycle {i}"
            equal(report.heap["allocs"] - report.heap["frees"], report.heap["live_blocks"], "balance")
        equal(len(threads(target.pid)), 9, "threads")
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
