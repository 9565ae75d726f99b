# SPDX-License-Identifier: GPL-2.0-or-later
"""
memtrace's own end: the process that the user started waits for the one that traces.  Whichever
of them is ended, and by what, the target runs on; and whoever can still write its report does.

KILLS=200 asks for so many ends in each test under load instead of some seconds of them.
"""
import random
import resource

from storm import *

SECONDS = 8
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)

# A sanitizer's own handler would be the one that ours hands the signal on to.
if SANITIZED:
    os.environ["ASAN_OPTIONS"] = ":".join(f"handle_{name}=0" for name in
                                          ("segv", "sigbus", "sigill", "sigfpe", "abort"))


def kill(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def late_report(trace):
    """Of a tracer that nobody waits for any more."""
    def whole():
        with contextlib.suppress(OSError, ValueError):
            return json_in(read(trace.json_file, "rb"))
    return until(whole, f"a report without a guard\n{trace.stderr()}")


def worked(target, **options):
    """A trace in which the target has done its work: (trace, truth)."""
    trace = attach(target.pid, **options)
    target.go()
    return trace, target.truth()


def ready():
    target = Target(build("count.c", "-pthread"), "2", "200")
    target.expect("ready")
    return target


def test_guard_killed():
    """The report is written all the same."""
    target = ready()
    with unharmed(target.pid):
        trace, truth = worked(target)
        kill(trace.process.pid)
        trace.process.wait(WAIT_S)
        report = late_report(trace)
        until(lambda: untraced(target.pid), "a target without a tracer", 5)
    equal({key: report["heap"][key] for key in ("allocs", "frees")},
          {key: truth[key] for key in ("allocs", "frees")}, "figures")
    target.finish()


def test_guard_killed_with_a_command():
    trace = Trace(["--", build("count.c", "-pthread"), "2", "3000"], stdin=subprocess.PIPE)
    trace.until(lambda: "ready" in trace.stdout(), "a command that is ready")
    kill(trace.process.pid)
    trace.process.wait(WAIT_S)
    equal(late_report(trace)["target"]["exit"], None, "end of the command")
    trace.process.stdin.write(b"\n\n")
    trace.process.stdin.close()
    until(lambda: "correct" in trace.stdout(), f"the end of the command: {trace.stdout()}")


def check_ends(end_at):
    """end_at(trace) ends something of memtrace after the attach; returns what must be there."""
    with storm(forgiving=True) as target:
        for _ in repeated("KILLS", SECONDS):
            trace = Trace(["-p", str(target.pid), "-q"])
            assert target.process.poll() is None, f"the target has ended: {target.process.poll()}"
            trace.until(lambda: not untraced(target.pid), "a traced target")
            time.sleep(random.uniform(0, 0.3))
            then = end_at(trace)
            trace.process.wait(WAIT_S)
            until(lambda: untraced(target.pid), "a target without a tracer", 10)
            until(lambda: not stopped(target.pid), "no stopped thread", 5)
            target.check()
            then(target)


def traced_again(target):
    report = Trace(["-p", str(target.pid), "-d", "0.05"]).wait(2 * WAIT_S)
    equal(report.status, 0, f"exit status of the trace after it\n{report.stderr}\nstatus")
    assert report.heap["allocs"] > 0, f"nothing seen after it\n{report.stderr}"


def test_guard_killed_under_load():
    def end_at(trace):
        kill(trace.process.pid)

        def then(target):
            late_report(trace)
            traced_again(target)
        return then
    check_ends(end_at)


def test_tracer_crashes_under_load():
    """With the signals of a crash, at any moment after the attach has begun."""
    def end_at(trace):
        number = random.choice(CRASHES)
        kill(trace.tracer(), number)

        def then(target):
            traced_again(target)
            target.check()
        return then
    check_ends(end_at)


def test_tracer_ended_under_load():
    """With the signals that ask it to end, sent to it instead of what the user has started."""
    def end_at(trace):
        kill(trace.tracer(), random.choice((signal.SIGTERM, signal.SIGINT, signal.SIGHUP)))

        def then(target):
            equal(trace.process.returncode, 0, f"exit status\n{trace.stderr()}\nstatus")
            late_report(trace)
            traced_again(target)
        return then
    check_ends(end_at)


def test_out_of_memory_under_load():
    """No further page for the tracer from any moment on."""
    if SANITIZED:
        raise Skip("AddressSanitizer ends a process without memory")

    def end_at(trace):
        tracer = trace.tracer()
        size = int(threads(tracer)[tracer]["VmSize"].split()[0]) * 1024
        resource.prlimit(tracer, resource.RLIMIT_AS, (size, size))
        time.sleep(random.uniform(0, 0.3))
        trace.process.send_signal(signal.SIGINT)

        def then(target):
            assert trace.process.returncode in (0, 125), f"{trace.process}\n{trace.stderr()}"
            assert "bug in memtrace" not in trace.stderr(), trace.stderr()
            traced_again(target)
            target.check()
        return then
    check_ends(end_at)


def test_tracer_crashes():
    """What is said, and what is left."""
    for number in CRASHES:
        target = ready()
        trace = attach(target.pid)
        kill(trace.tracer(), number)
        equal(trace.process.wait(WAIT_S), 125, f"exit status after signal {number}")
        words = trace.stderr()
        assert "bug in memtrace" in words and f"signal {int(number)} " in words, words
        until(lambda: untraced(target.pid), "a target without a tracer", 5)
        target.go()
        target.truth()
        target.finish()


def crash_of_a_thread(number):
    """Of the one of that number, the tracing thread left out; False: there are not so many."""
    target = ready()
    trace = attach(target.pid, "--log-file", "log")
    tracer = trace.tracer()
    others = sorted(set(threads(tracer)) - {tracer})
    if number < len(others):
        libc_tgkill(tracer, others[number], signal.SIGSEGV)
        equal(trace.process.wait(WAIT_S), 125, "exit status")
        assert "bug in memtrace" in trace.stderr(), trace.stderr()
        until(lambda: untraced(target.pid), "a target without a tracer", 5)
    else:
        trace.stop()
    target.go()
    target.truth()
    target.finish()
    return number < len(others)


def test_crash_of_another_thread():
    """Of one that takes records, writes a log, looks up names, or watches the placement: ptrace is
    not its own."""
    number = 0
    while crash_of_a_thread(number):
        number += 1
    assert number >= 2, f"the tracer has {number} more threads only"


def libc_tgkill(pid, tid, number):
    import ctypes
    equal(ctypes.CDLL(None).tgkill(pid, tid, number), 0, "tgkill")


@engines("auto")
def test_to_the_whole_group():
    """One request, though both processes get it: names are looked up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        target = ready()
        trace, _ = worked(target, start_new_session=True)
        os.killpg(trace.process.pid, number)
        report = trace.wait()
        equal(report.status, 0, f"exit status\n{report.stderr}\nstatus")
        assert report.sites and all(functions(site)[0] for site in report.sites), tops(report)
        target.finish()


@engines("auto")
def test_nohup():
    """A hangup that was ignored before ends nothing."""
    target = ready()
    with unharmed(target.pid):
        trace, _ = worked(target, start_new_session=True,
                          preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        os.killpg(trace.process.pid, signal.SIGHUP)
        time.sleep(0.3)
        equal(trace.process.poll(), None, "memtrace after a hangup")
        trace.stop()
    target.finish()


@engines("auto")
def test_starter_that_ignores_children():
    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    report = Trace(["--", "sh", "-c", "trap; exit 3"], preexec_fn=ignore).wait()
    equal(report.status, 3, f"exit status\n{report.stderr}\nstatus")


def test_stopped_guard():
    """Nobody waits for it."""
    target = ready()
    with unharmed(target.pid):
        trace = attach(target.pid)
        kill(trace.process.pid, signal.SIGSTOP)
        target.go()
        truth = target.truth()
        kill(trace.process.pid, signal.SIGCONT)
        exact(trace.stop(), truth)
    target.finish()
