# SPDX-License-Identifier: GPL-2.0-or-later
"""
On a machine of many processors several threads take the events, and what they have counted
becomes one report.  memtrace is shown a file that says so; the target has what is here.
"""
import ctypes

from harness import *

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
ONLINE = "/sys/devices/system/cpu/online"


def many_processors(file):
    """For a process that is about to become memtrace: it sees 32 processors."""
    libc = ctypes.CDLL(None, use_errno=True)

    def become():
        if libc.unshare(CLONE_NEWNS) or \
                libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) or \
                libc.mount(file.encode(), ONLINE.encode(), None, MS_BIND, None):
            raise OSError(ctypes.get_errno(), "another view of the processors")
    return become


def view():
    """Options of Trace(); the skip says why, where it cannot be had."""
    path = os.path.abspath("online")
    with open(path, "w") as file:
        file.write("0-31\n")
    options = {"preexec_fn": many_processors(path)}
    try:
        subprocess.run(["true"], check=True, **options)
    except subprocess.SubprocessError as reason:
        raise Skip(f"a mount namespace cannot be had: {reason}")
    return options


def traced(*command, options=()):
    """As trace_attached(), and the number of threads that took events."""
    target = Target(*command)
    target.expect("ready")
    with unharmed(target.pid):
        few = attach(target.pid, *options)
        consumers = 1 - len(threads(few.tracer()))
        few.stop()
        trace = attach(target.pid, *options, **view())
        consumers += len(threads(trace.tracer()))
        target.go()
        truth = target.truth()
        report = trace.stop()
    target.finish()
    return report, truth, consumers


@engines("jump")
def test_count_as_one():
    report, truth, consumers = traced(build("count.c", "-pthread"), "8", "1000")
    equal(consumers, 4, "threads that take events")
    exact(report, truth)


@engines("jump")
def test_blocks_that_move():
    """A realloc takes a block from the addresses of one thread to those of another."""
    report, truth, _ = traced(build("../realloc/realloc.c", out="realloc"), "old")
    exact(report, truth)


@engines("jump")
def test_same_places():
    """Stack by stack what one thread counts; sites are ordered, so by what they hold."""
    def places(report):
        return sorted((site["allocs"], site["frees"], site["bytes"], tuple(functions(site)))
                      for site in report.sites)
    command = build("count.c", "-pthread"), "4", "200"
    report, _, _ = traced(*command)
    alone, _ = trace_attached(*command)
    equal(places(report), places(alone), "places")
    equal(report.heap["live_bytes"], alone.heap["live_bytes"], "live bytes")
