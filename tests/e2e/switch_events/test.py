# SPDX-License-Identifier: GPL-2.0-or-later
"""
What a target does, and what comes to it, around the turns of the switch: execs, forks, libraries,
threads, calls under way, stops and ends.
"""
import random

from obedient import *

LEAK_CHECK = False


def descriptors(trace):
    return len(os.listdir(f"/proc/{trace.tracer()}/fd"))


def test_nothing_piles_up():
    """Neither on nor off, nor where a program came while it was off."""
    for by_exec in (False, True):
        target, trace = obedient(0)
        found = []
        for _ in range(5):
            turn(trace, 1)
            turn(trace, 0)
            if by_exec:
                target.exec()
            found.append(descriptors(trace))
        equal(len(set(found[1:])), 1, f"descriptors of memtrace's {found}")
        trace.stop()
        target.finish()


def test_exec_while_off():
    target, trace = obedient(1)
    target.do("leak 3")
    turn(trace, 0)
    target.exec(5)
    untouched(target.pid, trace)
    target.do("leak 1")
    turn(trace, 1)
    target.do("leak 4")
    turn(trace, 0)
    turn(trace, 1)
    target.do("leak 2")
    report = trace.stop()
    figures(report, allocs=2, live_blocks=2, live_bytes=80, unwatched_blocks=4)
    equal((report.target["execs"], *live(report, "leak")), (1, 2), "execs and blocks")
    target.finish()


def test_exec_while_on_after_it():
    target, trace = obedient(1)
    turn(trace, 0)
    turn(trace, 1)
    target.do("leak 3")
    target.exec(5)
    target.do("leak 1")
    figures(trace.stop(), live_blocks=6, unwatched_blocks=0)
    target.finish()


def test_exec_and_never_on():
    """The last program was not watched; of those before there is no report."""
    target, trace = obedient(1)
    target.do("leak 3")
    turn(trace, 0)
    target.exec(5)
    report = without_engine(trace).stop()
    equal(report.json["verdict"], "incomplete", "verdict")
    figures(report, allocs=0, live_blocks=0, unwatched_blocks=0)
    target.finish()


def test_exec_at_the_turn():
    """Whichever comes first."""
    target, trace = obedient(1)
    for i in range(TURNS):
        on = i % 2
        target.send("exec 1")
        time.sleep(random.uniform(0, 0.1))
        turn(trace, on)
        target.expect("ready")
        if on:
            until(lambda: patched(target.pid), "a program that is watched")
        else:
            time.sleep(0.05)
            untouched(target.pid, trace)
        target.do("leak 1")
    target.do("leak 2")
    report = trace.stop()
    equal(report.target["execs"], TURNS, "execs")
    figures(report, missed_frees=0)
    equal(patched(target.pid), [], "code that is not the original")
    target.finish()


def check_fork(ends_off):
    remove("followed*")
    in_place(CONFIG, says(0))
    target = Obedient()
    trace = Trace(["-p", str(target.pid), "-f", "-c", CONFIG, "-o", "followed", "--format", "json"],
                  json_report=False).wait_attached(target.pid)
    target.send("fork")
    child = int(target.expect("child").split()[1])
    target.expect("done")
    os.kill(child, signal.SIGUSR1)
    target.expect("worked")
    untouched(child, trace)
    if not ends_off:
        turn(trace, 1)
        assert patched(child), "the child is not watched"
        os.kill(child, signal.SIGUSR1)
        target.expect("worked")
    os.kill(child, signal.SIGKILL)
    target.do("leak 2")
    trace.stop()
    target.finish()
    return [json_in(read(f"followed.{pid}", "rb")) for pid in (target.pid, child)]


def test_fork_while_off():
    parent, child = check_fork(False)
    equal((parent["heap"]["allocs"], child["heap"]["allocs"]), (2, 4), "allocations")
    equal((child["target"]["exit"], child["verdict"]), ({"signal": 9}, "unfreed"), "the child")


def test_fork_that_ends_while_off():
    for report in check_fork(True):
        equal((report["verdict"], report["heap"]["allocs"], report["target"]["exit"]),
              ("incomplete", 0, None), "report")


def test_fork_while_off_left_alone():
    target, trace = obedient(1)
    turn(trace, 0)
    target.send("fork")
    child = int(target.expect("child").split()[1])
    target.expect("done")
    until(lambda: untraced(child), "a child without a tracer")
    equal((patched(child), ours_in(child)), ([], set()), "what the child has of memtrace's")
    os.kill(child, signal.SIGUSR1)
    target.expect("worked")
    os.kill(child, signal.SIGKILL)
    trace.stop()
    target.finish()


def test_library_opened_while_off():
    plugin, pool = build_library("plugin.c"), build_library("pool.c")
    target, trace = obedient(1)
    turn(trace, 0)
    target.do(f"open {plugin}", f"pool {pool}", "use 2", "take 2")
    untouched(target.pid, trace)
    turn(trace, 1)
    target.do("use 3", "take 4")
    report = trace.stop()
    equal((blocks_at(report, "LIVE own", "plugin.c"), *live(report, "pool")), (3, 4),
          "blocks of the library and of the allocator")
    target.finish()


def test_library_closed_while_off():
    """And one opened again, mostly where it was."""
    plugin, pool = build_library("plugin.c"), build_library("pool.c")
    target, trace = obedient(1)
    target.do(f"open {plugin}", f"pool {pool}", "use 2", "take 2")
    turn(trace, 0)
    target.do("close", f"open {pool}", "close")
    turn(trace, 1)
    target.do("take 3", f"open {plugin}", "use 1")
    turn(trace, 0)
    target.do("close", f"open {plugin}")
    turn(trace, 1)
    target.do("use 4", "take 5", "close")
    report = trace.stop()
    equal((blocks_at(report, "LIVE own", "plugin.c"), *live(report, "pool")), (4, 5),
          "blocks of the library and of the allocator")
    equal(report.run["dropped"], 0, "dropped events")
    target.finish()


def test_threads_while_off():
    target, trace = obedient(1)
    turn(trace, 0)
    target.do("thread", "thread", "work 3")
    untouched(target.pid, trace)
    turn(trace, 1)
    target.do("work 5", "work 6")
    report = trace.stop()
    equal(live(report, "thread"), (11,), "blocks of the threads")
    figures(report, allocs=11)
    target.finish()


def test_leader_gone():
    """Its first thread has ended while it was off."""
    target, trace = obedient(1)
    turn(trace, 0)
    target.do("hand on")
    until(lambda: target.pid not in threads(target.pid), "a dead leader")
    turn(trace, 1)
    target.do("leak 2")
    turn(trace, 0)
    equal(ours_in(target.pid), set(), "mappings of memtrace's while it is off")
    target.do("leak 1")
    turn(trace, 1)
    target.do("leak 3")
    equal(live(trace.stop(), "leak"), (3,), "blocks")
    target.finish()


def slow(on):
    """A thread of it waits in a call of an allocator."""
    target, trace = obedient(on)
    target.do(f"pool {build_library('slow.c', '-O2', '-pthread')}", "take 1", "enter")
    return target, trace


def test_call_under_way_when_off():
    """Where it has to be left first, that is waited for."""
    target, trace = slow(1)
    in_place(CONFIG, says(0))
    time.sleep(0.7)
    target.do("leak 1", "let")
    trace.until(lambda: "memleak = 0: " in trace.stderr(), "memleak = 0")
    untouched(target.pid, trace)
    turn(trace, 1)
    target.do("take 3", "leak 2")
    report = trace.stop()
    equal(live(report, "pool", "slow", "leak"), (3, 0, 2), "blocks")
    equal(report.heap["missed_frees"], 0, "missed frees")
    (gap,) = report.run["unwatched"]
    assert gap["to_ns"] - gap["from_ns"] > 400e6, f"a gap that begins late: {gap}"
    target.finish()


def test_call_under_way_when_on():
    """Its begin was not watched: it is not told of, and the next one of that thread is."""
    target, trace = slow(1)
    target.do("let")
    turn(trace, 0)
    target.do("enter")
    turn(trace, 1)
    target.do("let", "take 3", "enter", "let")
    report = trace.stop()
    equal(live(report, "pool", "slow"), (3, 1), "blocks")
    target.finish()


def test_end_at_the_turn():
    """It ends in a call that is waited for, with the code that it had: nobody has watched that."""
    target, trace = slow(1)
    in_place(CONFIG, says(0))
    time.sleep(0.7)
    equal(patched(target.pid), [], "code that is not the original")
    target.send("exit 3")
    report = trace.wait()
    equal((report.status, report.target["exit"]), (0, None), "ends")
    check_gaps(report, 1, "memleak", open_end=True)
    target.process.wait(WAIT_S)


def test_exec_in_a_call_at_the_turn():
    target, trace = slow(1)
    in_place(CONFIG, says(0))
    time.sleep(0.7)
    target.exec(1)
    trace.until(lambda: "memleak = 0: " in trace.stderr(), "memleak = 0")
    time.sleep(0.1)
    untouched(target.pid, trace)
    turn(trace, 1)
    target.do("leak 2")
    figures(trace.stop(), allocs=2, live_blocks=2)
    target.finish()


def test_stopped_target():
    """Job control goes on, on and off."""
    target, trace = obedient(1)
    target.do("leak 1")
    for on in (0, 1, 0, 1):
        os.kill(target.pid, signal.SIGSTOP)
        until(lambda: set(stopped(target.pid)) == set(threads(target.pid)), "a stopped target")
        turn(trace, on)
        time.sleep(0.2)
        equal(stopped(target.pid), set(threads(target.pid)), "threads still stopped")
        assert bool(patched(target.pid)) == bool(on), f"patched at {on}"
        os.kill(target.pid, signal.SIGCONT)
        target.do("leak 1")
    figures(trace.stop(), allocs=1, unwatched_blocks=2)
    target.finish()


def test_several():
    in_place(CONFIG, says(1))
    targets = [Obedient() for _ in range(3)]
    remove("several*")
    pids = [word for target in targets for word in ("-p", str(target.pid))]
    trace = Trace([*pids, "-c", CONFIG, "-o", "several", "--format", "json"], json_report=False)
    for target in targets:
        trace.wait_attached(target.pid)
        target.do("leak 1")
    turn(trace, 0)
    for target in targets:
        untouched(target.pid, trace)
    targets[0].send("exit 3")
    targets[0].process.wait(WAIT_S)
    turn(trace, 1)
    for number, target in enumerate(targets[1:]):
        target.do(f"leak {number + 2}")
    equal(trace.stop().status, 0, "exit status")
    reports = [json_in(read(f"several.{target.pid}", "rb")) for target in targets]
    equal([report["heap"]["allocs"] for report in reports], [1, 2, 3], "allocations of each")
    equal([report["heap"]["unwatched_blocks"] for report in reports], [0, 1, 1], "blocks before")
    equal([report["target"]["exit"] for report in reports], [None] * 3, "ends of the targets")
    for target in targets[1:]:
        target.finish()
