# SPDX-License-Identifier: GPL-2.0-or-later
"""
--overhead: a target that is stopped for too much of its time is not watched for a while, again and
again.  On jumps the stops are those of two functions of its own that cannot be jumped from.
"""
from obedient import *

LEAK_CHECK = False

POOL = ("--alloc", "odd_get", "--free", "odd_put")
PAUSED = "not watched for a while"
AGAIN = "is watched again"
WARNED = "was stopped for"
PATIENT_S = 6.5             # in which the 5 s that it takes are over


class Toiler(Target):
    def __init__(self, threads=1):
        super().__init__(build("toils.c", "-pthread"), str(threads))
        self.expect("ready")


def braked(target, *options, **more):
    return attach(target.pid, *POOL, *options, **more)


def wait_for(trace, word, nr=1):
    trace.until(lambda: trace.stderr().count(word) >= nr, f"{nr} times: {word}")


def pause(target, trace):
    """Until it is not watched any more; the target is calm then."""
    target.do("churn")
    wait_for(trace, PAUSED)
    target.do("calm")


def leaked(report):
    return blocks_at(report, "LIVE leak", "toils.c")


def check_pauses(report, nr, reason="overhead", open_end=False):
    overhead = report.run["overhead"]
    check_gaps(report, nr, reason, open_end)
    assert overhead["stopped_ns"] and overhead["ran_ns"] and overhead["paused_ns"], overhead
    equal(report.run["dropped"], 0, "dropped events")
    return overhead


# The brake

def test_a_pause():
    """What is leaked before it, in it, and after it."""
    target = Toiler()
    with unharmed(target.pid):
        trace = braked(target, "--overhead", "80", "-v")
        target.do("leak 3")
        pause(target, trace)
        untouched(target.pid, trace)
        target.do("leak 2", "spin")
        wait_for(trace, AGAIN)
        target.do("calm")
        assert patched(target.pid), "nothing patched after the pause"
        target.do("leak 4")
        report = trace.stop()
    overhead = check_pauses(report, 1)
    equal((overhead["pauses"], overhead["limit_ppm"]), (1, 800000), "the brake")
    equal((leaked(report), report.heap["live_blocks"]), (4, 4), f"blocks at {tops(report)}")
    # A block of what churned may have been live, too.
    assert report.heap["unwatched_blocks"] in (3, 4), report.heap
    equal((report.heap["missed_frees"], report.json["verdict"]), (0, "unfreed"), "the rest")
    assert re.search(r"^ +not watched from .* to .*, \d+ % of the time \(--overhead 80\)$",
                     report.stdout, re.M), report.stdout
    assert re.search(r"; stopped [\d.]+ % of its time; engine ", report.stdout), report.stdout
    target.finish()


def test_pauses_of_16_threads():
    """The first one is told of, the others under -v only."""
    target = Toiler(16)
    with unharmed(target.pid):
        trace = braked(target, "--overhead", "80")
        target.do("churn")
        for _ in range(2):
            until(lambda: not patched(target.pid), "a pause")
            until(lambda: patched(target.pid), "the end of the pause")
        report = trace.stop()
        target.do("calm")
    equal(report.stderr.count(PAUSED), 1, f"words in {report.stderr}")
    overhead = check_pauses(report, 2)
    equal(overhead["pauses"], 2, "pauses")
    equal(sum(gap["to_ns"] - gap["from_ns"] for gap in report.run["unwatched"]) // 10**9,
          overhead["paused_ns"] // 10**9, "seconds of pauses")
    assert report.heap["live_blocks"] <= 16 and report.heap["unwatched_blocks"] <= 32, report.heap
    equal(report.heap["failed_allocs"], 0, "failed allocations")
    assert "not watched in 2 gaps, " in report.stdout, report.stdout
    target.finish()


def test_who_has_little_to_do():
    """It sleeps most of its time, but the little that it does takes long.  That ends in a pause."""
    target = Toiler()
    trace = braked(target, "--overhead", "10")
    target.do("leak 3", "serve")
    wait_for(trace, PAUSED)
    untouched(target.pid, trace)
    target.do("calm", "leak 2")
    report = trace.stop()
    check_pauses(report, 1, open_end=True)
    equal((leaked(report), report.heap["unwatched_blocks"]), (3, 0), "blocks")
    assert "the trace ended in such a gap" in report.stdout, report.stdout
    assert "in use at the last pause: " in report.stdout, report.stdout
    target.finish()


def test_who_is_not_harmed():
    """It computes, or sleeps, and is seldom stopped: the share is small, or of nothing."""
    for task, most_ppm in (("spin", 100000), ("calm", 1000000)):
        target = Toiler(2)
        trace = braked(target, "--overhead", "10" if task == "spin" else "1")
        target.do(task)
        end = time.monotonic() + PATIENT_S
        while time.monotonic() < end:
            target.do("leak 1")
            time.sleep(0.5)
        report = trace.stop()
        equal((report.run["unwatched"], report.run["overhead"]["pauses"]), ([], 0), "pauses")
        assert report.run["overhead"]["share_ppm"] <= most_ppm, report.run
        assert PAUSED not in report.stderr, report.stderr
        equal(leaked(report), report.heap["allocs"], "blocks")
        target.finish()


def test_the_share():
    """Of what churns it is most of the time, and after a while of computing less."""
    target = Toiler()
    trace = braked(target)
    target.do("churn")
    time.sleep(1.5)
    target.do("calm")
    report = trace.stop()
    overhead = report.run["overhead"]
    assert overhead["share_ppm"] > 500000, overhead
    equal((overhead["limit_ppm"], overhead["pauses"], overhead["paused_ns"]), (0, 0, 0), "no brake")
    equal(overhead["stopped_ns"] * 10**6 // (overhead["stopped_ns"] + overhead["ran_ns"]),
          overhead["share_ppm"], "share")
    target.finish()


def test_log():
    """Says where lines are missing, and why."""
    target = Toiler()
    trace = braked(target, "--overhead", "80", "-v", "--log-file", "log")
    pause(target, trace)
    target.do("spin")
    wait_for(trace, AGAIN)
    target.do("calm")
    trace.stop()
    notes = [line.split(None, 2)[2] for line in read("log").splitlines() if "watched" in line]
    equal(notes, ["nothing is watched: --overhead", "watched again: --overhead"], "notes in the log")
    target.finish()


def test_storm():
    """In the middle of all that a process can do; -f: children have pauses of their own."""
    with storm() as target:
        with unharmed(target.pid, loads=True):
            trace = Trace(["-p", str(target.pid), "-f", "-v", "-o", "/dev/null", "--overhead",
                           "60" if engine() == "break" else "20"], json_report=False)
            trace.wait_attached(target.pid)
            word = f"overhead: pid {target.pid} {AGAIN}"
            until(lambda: word in trace.stderr(), "the end of a pause", 4 * WAIT_S)
            target.check()
            trace.stop()
        target.check()


# What ends, or changes, in a pause

def paused(*options):
    target = Toiler()
    trace = braked(target, "--overhead", "80", *options)
    target.do("leak 3")
    pause(target, trace)
    return target, trace


def test_target_ends_in_a_pause():
    target, trace = paused()
    target.do("leak 2")
    target.send("exit 7")
    report = trace.wait()
    equal((report.status, target.process.wait(WAIT_S)), (0, 7), "exit statuses")
    check_pauses(report, 1, open_end=True)
    equal((leaked(report), report.target["exit"]), (3, None), "blocks and end")


def test_exec_in_a_pause():
    """The next program is watched once the pause is over."""
    target, trace = paused("-v")
    target.send("exec")
    target.expect("ready")
    untouched(target.pid, trace)
    target.do("leak 1", "spin")
    wait_for(trace, AGAIN)
    target.do("calm", "leak 4")
    report = trace.stop()
    check_pauses(report, 1)
    equal((leaked(report), report.target["execs"]), (4, 1), "blocks and execs")
    target.finish()


def test_command():
    """Ends with its own status."""
    trace = Trace([*POOL, "--overhead", "50", "--", build("toils.c", "-pthread")],
                  stdin=subprocess.PIPE)
    trace.until(lambda: "ready" in trace.stdout(), "a command that is ready")
    trace.send("leak 3")
    trace.send("churn")
    wait_for(trace, PAUSED)
    trace.send("exit 9")
    report = trace.wait()
    equal(report.status, 9, "exit status")
    check_pauses(report, 1, open_end=True)
    equal(leaked(report), 3, "blocks")


@engines("jump")
def test_who_waits_in_a_call_for_ever():
    """What that call needs stays mapped after the first pause; so that is the last one."""
    target = Toiler()
    trace = braked(target, "--alloc", "slow_get", "--overhead", "80", "-v")
    target.do("enter")
    pause(target, trace)
    wait_for(trace, "no further pause is tried")
    target.do("spin")
    wait_for(trace, AGAIN)
    target.do("churn")
    time.sleep(PATIENT_S)
    target.do("calm", "leak 2")
    report = trace.stop()
    overhead = check_pauses(report, 1)
    equal((leaked(report), overhead["pauses"]), (2, 1), "blocks and pauses")
    target.finish()


# With the switch

def test_switch_in_a_pause():
    """The brake does not wake what the user has switched off."""
    in_place(CONFIG, "overhead = 90\n")
    target = Toiler()
    trace = braked(target, "-c", CONFIG)
    pause(target, trace)
    turn(trace, 0)
    target.do("spin")
    time.sleep(2)
    untouched(target.pid, trace)
    target.do("calm", "leak 2")
    turn(trace, 1)
    assert patched(target.pid), "nothing patched while it is on"
    target.do("leak 5")
    report = trace.stop()
    overhead = check_pauses(report, 1, "memleak")
    equal((leaked(report), overhead["pauses"]), (5, 1), "blocks and pauses")
    target.finish()


def test_switched_off_in_a_pause_for_good():
    in_place(CONFIG, says(0))
    target = Toiler()
    trace = braked(target, "-c", CONFIG, "--overhead", "50")
    turn(trace, 1)
    pause(target, trace)
    turn(trace, 0)
    os.unlink(CONFIG)
    trace.process.send_signal(signal.SIGINT)
    report = trace.wait()
    equal([gap["reason"] for gap in report.run["unwatched"]], ["memleak", "memleak"], "gaps")
    equal(report.run["overhead"]["pauses"], 1, "pauses")
    target.finish()


def test_one_of_two():
    """The other one is watched all the time."""
    targets = [Toiler(), Toiler()]
    remove("two*")
    trace = Trace([*(f"-p{target.pid}" for target in targets), *POOL, "--overhead", "10",
                   "-o", "two", "--format", "json"], json_report=False)
    for target in targets:
        trace.wait_attached(target.pid)
        target.do("leak 3")
    pause(targets[0], trace)
    untouched(targets[0].pid, trace)
    assert patched(targets[1].pid), "the other one is not watched"
    for target in targets:
        target.do("leak 2")
    equal(trace.stop().status, 0, "exit status")
    reports = [json_in(read(f"two.{target.pid}", "rb")) for target in targets]
    equal([report["heap"]["unwatched_blocks"] for report in reports], [0, 0], "blocks in gaps")
    equal([len(report["run"]["unwatched"]) for report in reports], [1, 0], "gaps")
    equal([report["run"]["overhead"]["pauses"] for report in reports], [1, 0], "pauses")
    equal(reports[1]["heap"]["allocs"], 5, "allocations of the other one")
    for target in targets:
        target.finish()


# The warning

def test_warning():
    """One line; none under -q."""
    for options, nr in (((), 1), (("-q",), 0)):
        target = Toiler()
        trace = Trace(["-p", str(target.pid), *POOL, *options])
        until(lambda: patched(target.pid), "patches")
        target.do("churn")
        if nr:
            wait_for(trace, WARNED)
        time.sleep(2.5)
        target.do("calm")
        report = trace.stop()
        equal(len(re.findall(rf"overhead: toils \(pid {target.pid}\) was stopped for \d+ % of its "
                             r"time in the last 2 s; --overhead 10 would", report.stderr)), nr,
              f"warnings in {report.stderr}")
        equal(report.run["unwatched"], [], "gaps")
        target.finish()


def test_no_warning():
    target = Toiler()
    trace = braked(target)
    target.do("spin")
    time.sleep(3)
    target.do("leak 1", "calm")
    assert WARNED not in trace.stop().stderr, trace.stderr()
    target.finish()
