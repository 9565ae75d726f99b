# SPDX-License-Identifier: GPL-2.0-or-later
"""
memtrace is killed with SIGKILL.  The target runs on, correct, for good, and the next memtrace
takes over or removes what was left in it.

KILLS=200 asks for so many kills in each test instead of some seconds of them.
"""
import random

from storm import *

ENGINES = ("jump",)     # with breakpoints the target dies at its next call of the allocator
SECONDS = 8


def family(pid):
    """A process and all that descend from it."""
    found = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            for child in read(path).split():
                found += family(int(child))
    return found


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def traced_again(target, when):
    """A whole trace of a target that an earlier memtrace was killed on."""
    report = Trace(["-p", str(target.pid), "-d", "0.05"]).wait(2 * WAIT_S)
    equal(report.status, 0, f"exit status of the trace after a kill {when}: {report.stderr}")
    assert report.heap["allocs"] > 0, f"nothing seen after a kill {when}"


def check_engines(target):
    """One function on a breakpoint is enough to end a target whose tracer is killed."""
    report = Trace(["-p", str(target.pid), "-d", "0.2"]).wait(2 * WAIT_S)
    equal(report.status, 0, f"exit status {report.stderr}")
    equal([f for f in report.run["functions"] if f["engine"] != "jump"], [],
          "functions that are on breakpoints")


def check_kills(kill_at):
    """kill_at(trace, target) kills a memtrace that has just been started, and says when."""
    with storm(forgiving=True) as target:
        check_engines(target)
        for _ in repeated("KILLS", SECONDS):
            with unharmed(target.pid, loads=True):
                trace = Trace(["-p", str(target.pid)])
                when = kill_at(trace, target)
                trace.process.wait(WAIT_S)
                target.check()
                traced_again(target, when)
            target.check()


def test_the_process_started():
    """At any moment: before and in the attach, while tracing, in the detach.  Processes of its own
    may live on for a while and let go of the target."""
    def kill_at(trace, target):
        phase = random.choice(["start", "trace", "detach"])
        if phase != "start":
            trace.wait_attached(target.pid)
        if phase == "detach":
            trace.process.send_signal(signal.SIGINT)
        delay = random.uniform(0, {"start": 0.15, "trace": 0.2, "detach": 0.03}[phase])
        time.sleep(delay)
        kill([trace.process.pid])
        until(lambda: untraced(target.pid), "a target without a tracer", 5)
        return f"{delay * 1000:.1f} ms after the begin of {phase}"
    check_kills(kill_at)


def test_all_processes():
    """All at once, after the attach."""
    def kill_at(trace, target):
        trace.wait_attached(target.pid)
        delay = random.uniform(0, 0.2)
        time.sleep(delay)
        pids = family(trace.process.pid)
        random.shuffle(pids)
        kill(pids)
        return f"{delay * 1000:.1f} ms after the attach"
    check_kills(kill_at)


def test_nobody_comes_back():
    """Without another memtrace the target runs on to its end."""
    for _ in range(3):
        with storm(forgiving=True) as target:
            trace = attach(target.pid)
            time.sleep(random.uniform(0, 0.1))
            kill(family(trace.process.pid))
            trace.process.wait(WAIT_S)
            for _ in range(3):
                target.check()


def test_launched():
    """A command that memtrace started survives it as well."""
    trace = Trace(["--", build("count.c", "-pthread"), "2", "3000"], stdin=subprocess.PIPE)
    trace.until(lambda: "ready" in trace.stdout(), "a command that is ready")
    kill(family(trace.process.pid)[:1])
    trace.process.wait(WAIT_S)
    time.sleep(0.2)
    trace.process.stdin.write(b"\n\n")
    trace.process.stdin.close()
    until(lambda: "correct" in trace.stdout(), f"the end of the command: {trace.stdout()}")


@engines("break", "jump")
def test_two_at_once():
    """The second is refused, or waits; the first is not disturbed."""
    target = Target(build("count.c", "-pthread"), "4", "300")
    target.expect("ready")
    with unharmed(target.pid):
        first = attach(target.pid)
        second = Trace(["-p", str(target.pid), "-d", "0.1"])
        with contextlib.suppress(subprocess.TimeoutExpired):
            second.process.wait(2 * PATIENCE)
        refused = second.process.poll()
        target.go()
        truth = target.truth()
        exact(first.stop(), truth)
        equal(second.wait(WAIT_S).status, 0 if refused is None else 125, second.stderr())
        assert refused is None or str(target.pid) in second.stderr(), second.stderr()
    target.finish()


def check_at_once(begin):
    """What the first, begin(target), had begun to do must not meet the second."""
    target = Target(build("busy.c", "-pthread"), "4")
    target.expect("ready")
    with unharmed(target.pid):
        for _ in range(8):
            trace = begin(target)
            kill([trace.process.pid])
            trace.process.wait(WAIT_S)
            traced_again(target, "just before")
    target.finish()


def test_one_after_a_killed_one():
    check_at_once(lambda target: attach(target.pid))


def test_one_beside_a_killed_one():
    """The first may still come to the target, just to leave it, when the second has looked."""
    def begin(target):
        trace = Trace(["-p", str(target.pid)])
        time.sleep(random.uniform(0, 0.1))
        return trace
    check_at_once(begin)
