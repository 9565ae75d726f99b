# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that a target makes, in all ways, and what they may not lose by a trace."""
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
