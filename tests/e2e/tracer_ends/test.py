# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals to memtrace: a full report and a target that goes on, whichever it is."""
from harness import *


def ready():
    target = Target(build("count.c", "-pthread"), "2", "200")
    target.expect("ready")
    return target


def ended_by(number, **options):
    target = ready()
    with unharmed(target.pid):
        trace = attach(target.pid, **options)
        target.go()
        truth = target.truth()
        report = trace.stop(number)
        exact(report, truth)
        assert "HEAP SUMMARY" in report.stdout, report.stdout
    target.finish()


def test_interrupt():
    ended_by(signal.SIGINT)


def test_terminate():
    ended_by(signal.SIGTERM)


def test_hangup():
    ended_by(signal.SIGHUP)


def test_interrupt_that_was_ignored():
    """As in the background of a script."""
    ended_by(signal.SIGINT, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))


def test_duration():
    target = ready()
    for duration, least, most in (("0.5", 0.5, 2), ("1s", 1, 3), ("0.01m", 0.6, 3)):
        with unharmed(target.pid):
            report = attach(target.pid, "-d", duration).wait()
        equal(report.status, 0, "exit status")
        took = report.run["duration_ns"] / 1e9
        assert least <= took < most * PATIENCE, f"-d {duration} took {took}"
    target.go()
    target.finish()


def test_quick_end():
    """A second signal skips what takes long, but nothing that the target needs."""
    target = ready()
    with unharmed(target.pid):
        trace = attach(target.pid)
        for _ in range(2):
            trace.process.send_signal(signal.SIGINT)
        equal(trace.wait().status, 0, "exit status")
    target.go()
    target.finish()


def waiting_command():
    """A launched command that goes on only after the trace: (trace, its pid)."""
    trace = Trace(["--", build("count.c", "-pthread"), "1", "100"], stdin=subprocess.PIPE)
    trace.until(lambda: "ready" in trace.stdout(), "a command that is ready")
    (child,) = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_count(pid)]
    return trace, child


def is_count(pid):
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe") == os.path.abspath("count")


def test_launched_is_let_go():
    """SIGTERM: detach, report, and wait for the command."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        trace, child = waiting_command()
        trace.process.send_signal(number)
        trace.until(lambda: "HEAP SUMMARY" in trace.stderr(), "the report")
        equal(trace.process.poll(), None, "memtrace while the command runs")
        until(lambda: untraced(child) and not stopped(child), "a command that runs free")
        equal(patched(child), [], "code that is not the original")
        trace.process.stdin.write(b"\n\n")
        trace.process.stdin.close()
        report = trace.wait()
        equal(report.status, 0, "exit status")
        assert "correct" in report.stdout, report.stdout


def test_launched_duration():
    trace = Trace(["-d", "0.5", "--", "sh", "-c", "sleep 1.5; exit 5"])
    trace.until(lambda: "HEAP SUMMARY" in trace.stderr(), "the report")
    equal(trace.process.poll(), None, "memtrace while the command runs")
    equal(trace.wait().status, 5, "exit status")


def test_interrupt_is_the_commands():
    """Ctrl-C at a terminal reaches both; memtrace traces on to the command's end."""
    script = 'trap "echo trapped; exit 3" INT; echo ready; while :; do sleep 0.05; done'
    trace = Trace(["--", "sh", "-c", script], start_new_session=True)
    trace.until(lambda: "ready" in trace.stdout(), "a command that is ready")
    os.killpg(trace.process.pid, signal.SIGINT)
    report = trace.wait()
    equal((report.status, report.stdout), (3, "ready\ntrapped\n"), "end of the command")
    equal(report.target["exit"], {"code": 3}, "end of the target")
