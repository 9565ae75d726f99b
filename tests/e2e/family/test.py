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


def check_privileged(way, **tracer):
    program = privileged(way)
    path = f"/nonexistent:{os.path.dirname(program)}:{os.environ['PATH']}"
    target = Target(build("spawns.c", "-pthread"), program, preexec_fn=unprivileged,
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


def test_set_id_programs_traced_by_root():
    check_privileged("set-id")
