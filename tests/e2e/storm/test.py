# SPDX-License-Identifier: GPL-2.0-or-later
"""
Attached to and let go of again and again, in the middle of all that a process can do: sixteen
threads that allocate, fork, spawn, load and close libraries and allocators, handle signals at
1 kHz, leave handlers by siglongjmp, wait in system calls, begin and end.  They check all their
results.

STORM_CYCLES=1000 asks for so many cycles instead of some seconds of them, STORM_ROLES=3f for
some of the threads only.
"""
from storm import *

SECONDS = 20


def test_cycles():
    with storm() as target:
        for i in repeated("STORM_CYCLES", SECONDS):
            with unharmed(target.pid, loads=True):
                report = Trace(["-p", str(target.pid), "-q", "-d", f"0.{i % 4}5"]).wait(2 * WAIT_S)
                if target.process.poll() is None:
                    equal(report.status, 0, f"exit status of cycle {i}: {report.stderr}")
                    assert report.heap["allocs"] > 0, f"nothing seen in cycle {i}"
                target.check()
