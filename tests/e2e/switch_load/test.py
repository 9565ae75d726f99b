# SPDX-License-Identifier: GPL-2.0-or-later
"""
The switch turned again and again while the target is busy, and under --sample.
"""
import random

from obedient import *

LEAK_CHECK = False

STORM_SECONDS = 8


def turned_often(target, *options):
    with unharmed(target.pid):
        in_place(CONFIG, says(1))
        trace = attach(target.pid, "-c", CONFIG, *options)
        for _ in range(TURNS):
            turn(trace, 0, random.choice((in_place, by_rename)))
            untouched(target.pid, trace)
            time.sleep(random.uniform(0, 0.05))
            turn(trace, 1)
            time.sleep(random.uniform(0, 0.05))
        report = trace.stop()
    if report.run["dropped"]:       # threads that never pause may outrun us, which has to be told
        equal(report.json["verdict"], "incomplete", "verdict")
    check_gaps(report, TURNS, "memleak")
    target.finish()
    return report


def busy():
    target = Target(build("busy.c", "-pthread"), "8")
    target.expect("ready")
    return target


def test_8_busy_threads():
    report = turned_often(busy())
    assert report.heap["allocs"] > 0, report.heap
    if report.run["dropped"]:
        return
    assert report.heap["live_blocks"] <= 8, report.heap
    assert report.heap["unwatched_blocks"] <= 8 * TURNS, report.heap
    figures(report, missed_frees=0, failed_allocs=0)


@engines("jump")
def test_8_busy_threads_sampled():
    turned_often(busy(), "--sample", "64K")


@engines("jump")
def test_sampled():
    """Estimates are of what came after, and of what was taken out."""
    target, trace = obedient(1, "--sample", "64K")
    target.do("bulk 8000")
    turn(trace, 0)
    target.do("bulk 5000")
    turn(trace, 1)
    target.do("bulk 20000")
    report = trace.stop()
    heap = report.heap
    assert abs(heap["live_bytes"] - (20000 << 10)) <= 5 * heap["bytes_error"], heap
    assert abs(heap["unwatched_bytes"] - (8000 << 10)) <= 5 * heap["bytes_error"], heap
    assert abs(heap["allocs"] - 20000) <= 5 * heap["allocs_error"], heap
    target.finish()


@engines("jump")
def test_functions_not_sampled():
    """They are no more for being found again."""
    libraries = glob.glob("/usr/lib/*/libjemalloc.so.2")
    if not libraries:
        raise Skip("libjemalloc is not installed")
    target, trace = obedient(1, "--sample", "8K", env={"LD_PRELOAD": libraries[0]})
    words = [trace.stop().stdout]
    trace = attach(target.pid, "-c", CONFIG, "--sample", "8K")
    for on in (0, 1, 0, 1):
        turn(trace, on)
    words.append(trace.stop().stdout)
    counts = [re.findall(r"^ +not (\d) functions, which may throw", text, re.M) for text in words]
    assert counts[0] and counts[0] == counts[1], counts
    target.finish()


def turned_in_storm(*options, **more):
    with storm() as target:
        with unharmed(target.pid, loads=True):
            in_place(CONFIG, says(1))
            trace = Trace(["-p", str(target.pid), "-c", CONFIG, *options], **more)
            trace.wait_attached(target.pid)
            for number in repeated("STORM_CYCLES", STORM_SECONDS):
                turn(trace, number % 2)
                if not number % 2:
                    equal(ours_in(target.pid), set(), "mappings of memtrace's while it is off")
                target.check()
            trace.stop()
        target.check()


def test_storm():
    """In the middle of all that a process can do."""
    turned_in_storm()


def test_storm_followed():
    """With some hundred children, each with a report of its own."""
    turned_in_storm("-f", "-o", "/dev/null", json_report=False)
