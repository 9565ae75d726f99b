# SPDX-License-Identifier: GPL-2.0-or-later
"""A target that is stopped can be attached to, and is stopped afterwards as it was before."""
from harness import *


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    until(lambda: stopped(pid) == set(threads(pid)), "a stopped target")


def running_target():
    target = Target(build("count.c", "-pthread"), "4", "100")
    target.expect("ready")
    return target


def stopped_target():
    target = running_target()
    stop(target.pid)
    return target


def test_stays_stopped():
    target = stopped_target()
    with unharmed(target.pid, was_stopped=True):
        trace = attach(target.pid, "-d", "0.5")
        report = trace.wait()
        equal(report.status, 0, "exit status")
        equal(report.heap["allocs"], 0, "allocations of a stopped target")
    os.kill(target.pid, signal.SIGCONT)
    target.go()
    target.truth()
    target.finish()


def check_figures(target, bring_to_run):
    """Of a target that runs on while it is traced."""
    with unharmed(target.pid):
        trace = attach(target.pid)
        bring_to_run(target.pid)
        target.go()
        truth = target.truth()
        report = trace.stop()
    target.finish()
    exact(report, truth)


def test_continued_while_traced():
    check_figures(stopped_target(), lambda pid: os.kill(pid, signal.SIGCONT))


def test_stopped_while_traced():
    def stop_and_continue(pid):
        for _ in range(3):
            stop(pid)
            os.kill(pid, signal.SIGCONT)
    check_figures(running_target(), stop_and_continue)


def test_detach_while_stopped():
    target = running_target()
    with unharmed(target.pid, was_stopped=True):
        trace = attach(target.pid)
        stop(target.pid)
        trace.stop()
    os.kill(target.pid, signal.SIGCONT)
    target.go()
    target.truth()
    target.finish()


def test_stops_around_attach_and_detach():
    """Job control at every moment of short traces of a busy target."""
    target = Target(build("busy.c", "-pthread"), "8")
    target.expect("ready")
    end = time.monotonic() + 2
    with unharmed(target.pid):
        while time.monotonic() < end:
            trace = Trace(["-q", "-d", "0.02", "-p", str(target.pid)])
            time.sleep(0.02)
            while trace.process.poll() is None and time.monotonic() < end + WAIT_S:
                os.kill(target.pid, signal.SIGSTOP)
                time.sleep(0.004)
                os.kill(target.pid, signal.SIGCONT)
                time.sleep(0.002)
            equal(trace.wait(WAIT_S).status, 0, f"exit status {trace.stderr()}")
            assert target.process.poll() is None, "the target has ended"
    target.finish()


def stopped_before_a_trap(pid):
    """Whether a thread was stopped between a breakpoint and the signal that tells of it."""
    stop(pid)
    return any(int(status["SigPnd"], 16) >> signal.SIGTRAP - 1 & 1
               for status in threads(pid).values())


@engines("break")
def test_detach_while_a_trap_is_pending():
    """The thread must take its trap before the code is put back."""
    target = Target(build("busy.c", "-pthread"), "8")
    target.expect("ready")
    end = time.monotonic() + 2
    with unharmed(target.pid):
        for _ in range(3):
            trace = attach(target.pid)
            while not stopped_before_a_trap(target.pid) and time.monotonic() < end:
                os.kill(target.pid, signal.SIGCONT)
                time.sleep(0.001)
            trace.stop()
            equal(stopped(target.pid), set(threads(target.pid)), "threads still stopped")
            os.kill(target.pid, signal.SIGCONT)
    target.finish()
