# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that a target makes, in all ways, and what they may not lose by a trace."""
import struct

from harness import *

CYCLES = 6


class Relative(Target):
    """With another process in its memory, which allocates all the time."""

    def __init__(self, way, late=False):
        super().__init__(build("relatives.c", source("arena.c"), out="relatives"), way,
                         *(["late"] if late else []))
        self.relative = None
        if late:
            self.expect("early")
        else:
            self.meet()

    def meet(self):
        self.relative = int(self.expect("relative").split()[1])
        self.expect("ready")

    def say(self, word):
        self.process.stdin.write(word)
        self.process.stdin.flush()

    def check(self):
        self.say(b"?")
        self.expect("all come on")
        assert threads(self.relative), "the relative is gone"


def check_made_before(way):
    target = Relative(way)
    for _ in range(CYCLES):
        with unharmed(target.pid), unharmed(target.relative):
            trace = attach(target.pid)
            target.check()
            trace.stop()
        target.check()
    target.finish()


def test_child():
    check_made_before("child")


def test_sibling():
    check_made_before("sibling")


def test_orphan():
    check_made_before("orphan")


def test_child_of_threads():
    check_made_before("threads")


def check_made_later(way):
    target = Relative(way, late=True)
    with unharmed(target.pid):
        trace = attach(target.pid)
        target.go()
        target.meet()
        target.check()
        trace.stop()
    with unharmed(target.relative):
        target.check()
    target.finish()


def test_child_made_later():
    check_made_later("child")


def test_sibling_made_later():
    check_made_later("sibling")


def test_orphan_made_later():
    check_made_later("orphan")


def test_child_of_threads_made_later():
    check_made_later("threads")


def test_child_execs_in_its_thread():
    target = Relative("threads")
    trace = attach(target.pid)
    target.check()
    target.say(b"!")
    target.expect("has left")
    target.expect("correct")
    equal(target.process.wait(WAIT_S), 0, "exit status of the target")
    equal(trace.wait(5).status, 0, "exit status, as soon as the target has ended")


# What a program's file gives to whoever runs it

def unprivileged():
    """Another user, without any capability."""
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def privileged(way):
    """A copy of the program with rights of its own, in a folder of the path."""
    if os.geteuid():
        raise Skip("not root")
    program = os.path.abspath(f"{way}/privileged")
    os.makedirs(way, exist_ok=True)
    build("privileged.c", out=program)
    os.chmod(program, 0o4755 if way == "set-id" else 0o755)
    if way == "capability":     # VFS_CAP_REVISION_2, effective; CAP_NET_RAW permitted
        with contextlib.suppress(OSError):
            os.setxattr(program, "security.capability",
                        struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
    if subprocess.run([program], preexec_fn=unprivileged).returncode != 7:
        raise Skip(f"a {way} program has no rights here, or the user nobody cannot reach it")
    return program


def check_privileged(way, *more, **tracer):
    program = privileged(way)
    path = f"/nonexistent:{os.path.dirname(program)}:{os.environ['PATH']}"
    target = Target(build("spawns.c", "-pthread"), program, *more, preexec_fn=unprivileged,
                    env={"PATH": path})
    target.expect("ready")
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid)], json_report=False, **tracer)
        trace.wait_attached(target.pid)
        target.go()
        target.expect("done")
        equal(trace.stop().status, 0, "exit status")
    target.finish()


def test_set_id_programs():
    check_privileged("set-id", preexec_fn=unprivileged)


def test_programs_with_capabilities():
    check_privileged("capability", preexec_fn=unprivileged)


def test_set_id_programs_of_one_not_dumpable():
    """Whose root and folders may not be looked at."""
    check_privileged("set-id", "3", "hidden", preexec_fn=unprivileged)


def test_set_id_programs_traced_by_root():
    check_privileged("set-id")


# Processes that come and go

def forks(way, rounds):
    target = Target(build("forks.c", "-pthread"), way, str(rounds))
    target.expect("ready")
    return target


def check_forks(way, rounds, *options):
    """Traced over all of it."""
    target = forks(way, rounds)
    with unharmed(target.pid, loads=True):
        trace = Trace(["-p", str(target.pid), "-q", *options], json_report=False)
        until(lambda: not untraced(target.pid), "attached")
        target.go()
        target.expect("done")
        equal(trace.stop().status, 0, "exit status")
    target.finish()


def check_cycles(way, rounds, *options, cycles=CYCLES):
    """Attached to and let go of while it is at it."""
    target = forks(way, rounds)
    target.go()
    with unharmed(target.pid, loads=True):
        for i in range(cycles):
            report = Trace(["-p", str(target.pid), "-q", "-d", f"0.{i % 3}3", *options],
                           json_report=False).wait(WAIT_S)
            if report.status and way in ("execs", "crowd"):
                # An exec may come between the look at the program and the hold.
                equal(report.status, 125, f"exit status\n{report.stderr}\nstatus")
                assert re.fullmatch(rf"memtrace: pid {target.pid}(:| cannot be traced:) .*\n",
                                    report.stderr), report.stderr
            else:
                equal(report.status, 0, f"exit status\n{report.stderr}\nstatus")
        target.expect("done", 2 * WAIT_S)
    target.finish()


def check_come_and_go(way, rounds, rounds_of_cycles, *options):
    check_forks(way, rounds, *options)
    check_cycles(way, rounds_of_cycles, *options)


def test_fork_storm():
    check_come_and_go("storm", 40, 300)


def test_fork_storm_followed():
    check_come_and_go("storm", 15, 100, "-f")


def test_prefork_server():
    check_come_and_go("prefork", 80, 200)


def test_prefork_server_followed():
    check_come_and_go("prefork", 40, 150, "-f")


def test_execs_out_of_any_thread():
    check_come_and_go("execs", 30, 150)


def test_execs_followed():
    check_come_and_go("execs", 30, 150, "-f")


def test_exec_out_of_a_crowd():
    """It waits for all of them to end, and so may who seizes them."""
    check_cycles("crowd", 400, cycles=25)


def check_daemon(*options):
    target = forks("daemon", 2000)
    trace = Trace(["-p", str(target.pid), *options], json_report=False)
    trace.wait_attached(target.pid)
    target.go()
    daemon = int(target.expect("daemon").split()[1])
    equal(target.process.wait(WAIT_S), 0, "end of the first process")
    target.expect("done", 2 * WAIT_S)
    with unharmed(daemon, loads=True):
        if options:
            trace.process.send_signal(signal.SIGINT)
        equal(trace.wait(WAIT_S).status, 0, "exit status")
    target.go()
    target.expect("correct")


def test_daemon():
    check_daemon()


def test_daemon_followed():
    check_daemon("-f")
