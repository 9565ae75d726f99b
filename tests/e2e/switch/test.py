# SPDX-License-Identifier: GPL-2.0-or-later
"""
memleak = 0 or 1 in the file of options, changed while memtrace runs.  At 0 the target is as it was
before the attach, but traced; what it does then is in no figure, and what was live when it was
turned off neither once it is on again.
"""
from obedient import *

LEAK_CHECK = False

# Off and on again

NEW = dict(allocs=12, frees=4, bytes_allocated=4 * 40 + 8 * 70, live_blocks=8,
           live_bytes=4 * (40 + 70), unknown_frees=3, missed_frees=0, failed_allocs=0,
           unwatched_blocks=8, unwatched_bytes=3 * 40 + 5 * 70)


def off_and_on(target, trace):
    """Leaves the figures NEW."""
    assert patched(target.pid), "nothing patched while it is on"
    target.do("keep 2", "free 2", "leak 3", "keep 5")
    turn(trace, 0)
    untouched(target.pid, trace)
    target.do("leak 2", "free 2")
    untouched(target.pid, trace)
    turn(trace, 1)
    assert patched(target.pid), "nothing patched while it is on again"
    target.do("free 2", "leak 4", "keep 6", "free 3")


def check_new(report):
    figures(report, **NEW)
    check_gaps(report, 1, "memleak")
    equal(live(report, "leak", "keep"), (4, 4), "blocks")
    equal(report.json["verdict"], "unfreed", "verdict")
    equal(report.run["dropped"], 0, "dropped events")
    assert re.search(r"^ +not watched from [\d.]+ .* to [\d.]+ .*\(memleak = 0\)$", report.stdout,
                     re.M), report.stdout
    assert "470 bytes in 8 blocks, live then" in report.stdout, report.stdout


def test_off_and_on_attached():
    in_place(CONFIG, says(1))
    target = Obedient()
    with unharmed(target.pid):
        code = code_of(target.pid)
        trace = attach(target.pid, "-c", CONFIG)
        off_and_on(target, trace)
        turn(trace, 0)
        equal(code_of(target.pid), code, "code while it is off")
        turn(trace, 1)
        turn(trace, 0)
        turn(trace, 1)
        target.do("leak 1")
        report = trace.stop()
    figures(report, allocs=5, frees=4, live_blocks=1, live_bytes=40, unwatched_blocks=16)
    check_gaps(report, 3, "memleak")
    target.finish()


def test_figures_attached():
    target, trace = obedient(1)
    off_and_on(target, trace)
    report = trace.stop()
    check_new(report)
    equal(report.target["exit"], None, "end of the target")
    target.finish()


def test_figures_launched():
    in_place(CONFIG, says(1))
    target = Launched()
    target.do("leak 1")
    turn(target.trace, 0)
    turn(target.trace, 1)
    target.do("keep 2", "free 2", "leak 3")
    report = target.finish()
    figures(report, allocs=5, frees=2, live_blocks=3, unwatched_blocks=1, unwatched_bytes=40)
    equal(report.target["exit"], {"code": 0}, "end of the target")
    equal(report.json["verdict"], "unfreed", "verdict")


def test_all_freed_after_it():
    """Of the time before nothing is claimed, so there is none without a leak."""
    in_place(CONFIG, says(1))
    target = Launched()
    target.do("keep 2", "free 1")
    turn(target.trace, 0)
    turn(target.trace, 1)
    target.do("keep 1", "free 2")
    report = target.finish()
    figures(report, allocs=2, frees=2, live_blocks=0, unknown_frees=1, unwatched_blocks=1)
    equal((report.json["verdict"], report.sites), ("no-leak-seen", []), "verdict")


def test_growth_begins_anew():
    """What grew before the gap alone does not grow."""
    target, trace = obedient(1)
    for _ in range(6):
        target.do("leak 1")
        time.sleep(0.3)
    turn(trace, 0)
    turn(trace, 1)
    target.do("leak 1")
    time.sleep(1.3)
    report = trace.stop()
    equal((report.json["verdict"], report.heap["live_blocks"]), ("unfreed", 1), "verdict")
    target.finish()


def test_growing_after_it():
    target, trace = obedient(1)
    turn(trace, 0)
    time.sleep(0.5)
    turn(trace, 1)
    for _ in range(8):
        target.do("leak 1")
        time.sleep(0.25)
    report = trace.stop()
    equal(report.json["verdict"], "growing", "verdict")
    target.finish()


# How the file changes


def after_a_while(path, text):
    """An editor may remove it first."""
    os.unlink(path)
    time.sleep(0.3)
    in_place(path, text)


def in_pieces(path, text):
    with open(path, "w") as file:
        for piece in ("# half a line", "\n", text):
            file.write(piece)
            file.flush()
            time.sleep(0.2)


def check_way(write):
    target, trace = obedient(1)
    target.do("leak 1")
    turn(trace, 0, write)
    untouched(target.pid, trace)
    turn(trace, 1, write)
    assert patched(target.pid), "nothing patched while it is on"
    target.do("leak 2")
    figures(trace.stop(), allocs=2, live_blocks=2, unwatched_blocks=1)
    target.finish()


def test_written_in_place():
    check_way(in_place)


def test_renamed():
    check_way(by_rename)


def test_removed_and_written():
    check_way(after_a_while)


def test_written_in_pieces():
    """What the file does not say, or not yet in full, changes nothing."""
    target, trace = obedient(0)
    turn(trace, 1, in_pieces)
    target.do("leak 2")
    assert CONFIG not in trace.stderr(), trace.stderr()
    figures(trace.stop(), allocs=2)
    target.finish()


def test_no_word_of_it():
    """Emptied, removed, a directory, or with other words: it stays as it was."""
    def a_directory(path):
        os.unlink(path)
        os.mkdir(path)
    target, trace = obedient(1)
    turn(trace, 0)
    for change in (lambda path: in_place(path, ""), lambda path: in_place(path, "top = 3\n"),
                   a_directory, os.rmdir):
        change(CONFIG)
        time.sleep(0.3)
        untouched(target.pid, trace)
    turn(trace, 1)
    for change in (lambda path: in_place(path, ""), os.unlink):
        change(CONFIG)
        time.sleep(0.3)
        assert patched(target.pid), "turned off by no word"
    equal(trace.stderr().count("memleak = "), 2, f"turns in {trace.stderr()}")
    trace.stop()
    target.finish()


def test_wrong_lines():
    """Each is told of once, with what is allowed; the others count."""
    target, trace = obedient(1)

    def told(text, *words):
        before = len(trace.stderr())
        in_place(CONFIG, text)
        trace.until(lambda: all(word in trace.stderr()[before:] for word in words), str(words))
        time.sleep(0.4)
        for word in words:
            equal(trace.stderr()[before:].count(word), 1, f"{word} in {trace.stderr()}")

    told("memleak = 2\n", f"{CONFIG}:1: memleak = 2: 0 or 1 is needed")
    assert patched(target.pid), "turned off by a wrong value"
    told("# off\nmemleek = 1\nmemleak = 0\n", f"{CONFIG}:2: memleek = 1: no such key")
    untouched(target.pid, trace)
    told("memleak = 1\nmemleak = yes\nmemleak =\n", f"{CONFIG}:2: memleak = yes: 0 or 1 is needed",
         f"{CONFIG}:3: memleak = : 0 or 1 is needed")
    assert patched(target.pid), "not turned on by the line that is right"
    told("what is this\nmemleak = 0\n", f"{CONFIG}:1: a line is KEY = VALUE")
    untouched(target.pid, trace)
    told("\x1b[31m = 1\n[part]\nmemleak = 1\n", f"{CONFIG}:2: a line is KEY = VALUE")
    untouched(target.pid, trace)
    assert "\x1b[31m" not in trace.stderr(), "the file's bytes on the terminal"
    equal(trace.stop().run["dropped"], 0, "dropped events")
    target.finish()


def test_processes_in_the_file():
    """One that has ended since is no mistake."""
    targets = [Obedient(), Obedient()]
    text = "".join(f"pid = {target.pid}\n" for target in targets)
    in_place(CONFIG, text + says(1))
    trace = Trace(["-c", CONFIG, "-o", "%p.txt"], json_report=False)
    for target in targets:
        trace.wait_attached(target.pid)
    targets[0].finish()
    turn(trace, 0, lambda path, words: in_place(path, text + words))
    untouched(targets[1].pid, trace)
    assert CONFIG not in trace.stderr(), trace.stderr()
    trace.stop()
    targets[1].finish()


def test_words_of_the_line():
    """Blanks, comments and the end of the line do not matter; the last line does."""
    target, trace = obedient(1)
    for on, text in ((0, "  memleak=0"), (1, "memleak\t=\t1\r\n"), (0, "memleak = 0 # by night\n"),
                     (1, "memleak = 0\nmemleak = 1")):
        turn(trace, on, lambda path, _: in_place(path, text))
    trace.stop()
    target.finish()


@engines("auto")
def test_default_path():
    """$XDG_CONFIG_HOME/memtrace.conf, also where it comes late."""
    home = os.path.abspath("home")
    path = home + "/memtrace.conf"
    os.makedirs(home, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    target = Obedient()
    trace = attach(target.pid, env={"XDG_CONFIG_HOME": home})
    turn(trace, 0, path=path)
    untouched(target.pid, trace)
    turn(trace, 1, path=path)
    target.do("leak 3")
    figures(trace.stop(), allocs=3)
    in_place(path, says(0))
    trace = without_engine(attach(target.pid, env={"XDG_CONFIG_HOME": home}))
    untouched(target.pid, trace)
    equal(trace.stop().json["verdict"], "incomplete", "verdict")
    in_place(CONFIG, says(1))
    trace = attach(target.pid, "-c", CONFIG, env={"XDG_CONFIG_HOME": home})
    assert patched(target.pid), "the other file counts where one is given"
    trace.stop()
    target.finish()


# It ends while it is off

BEFORE = dict(allocs=5, frees=1, live_blocks=4, live_bytes=3 * 40 + 70, unknown_frees=0,
              unwatched_blocks=0)


def to_the_end(target, trace):
    """Leaves the figures BEFORE."""
    target.do("leak 3", "keep 2", "free 1")
    turn(trace, 0)
    target.do("free 1", "leak 9")


def check_before(report):
    figures(report, **BEFORE)
    check_gaps(report, 1, "memleak", open_end=True)
    equal(report.json["verdict"], "unfreed", "verdict")
    equal(report.target["exit"], None, "an end that was not watched")
    text = report.stdout + report.stderr
    assert "then switched off (memleak = 0)" in text, text


def test_detached_while_off():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        in_place(CONFIG, says(1))
        target = Obedient()
        with unharmed(target.pid):
            trace = attach(target.pid, "-c", CONFIG)
            to_the_end(target, trace)
            check_before(trace.stop(number))
        target.do("leak 1")
        target.finish()


def test_time_over_while_off():
    target, trace = obedient(1, "-d", "3")
    to_the_end(target, trace)
    report = trace.wait()
    equal(report.status, 0, "exit status of memtrace")
    check_before(report)
    target.finish()


def test_target_ends_while_off():
    target, trace = obedient(1)
    to_the_end(target, trace)
    target.send("exit 7")
    report = trace.wait()
    equal((report.status, target.process.wait(WAIT_S)), (0, 7), "exit statuses")
    check_before(report)


def test_command_ends_while_off():
    """Its exit status is still given."""
    for end, status in (("exit 7", 7), ("abort", 128 + 6)):
        in_place(CONFIG, says(1))
        target = Launched()
        to_the_end(target, target.trace)
        target.trace.send(end)
        report = target.trace.wait()
        equal(report.status, status, f"exit status after {end}")
        check_before(report)


def test_killed_while_off():
    """Nothing is left in the target, whatever the engine, and it can be traced again."""
    for _ in range(3):
        target, trace = obedient(1)
        target.do("keep 3")
        turn(trace, 0)
        trace.process.kill()
        trace.process.wait(WAIT_S)
        until(lambda: untraced(target.pid), "a target without a tracer", 5)
        equal((patched(target.pid), ours_in(target.pid)), ([], set()), "what was left behind")
        target.do("free 3", "leak 2")
        with unharmed(target.pid):
            trace = attach(target.pid)
            target.do("leak 5")
            figures(trace.stop(), allocs=5, live_blocks=5)
        target.finish()


# Off from the start

def test_off_at_first_attached():
    in_place(CONFIG, says(0))
    target = Obedient()
    with unharmed(target.pid):
        trace = attach(target.pid, "-c", CONFIG)
        untouched(target.pid, trace)
        target.do("keep 3", "leak 2")
        turn(trace, 1)
        target.do("free 1", "keep 2", "free 3", "leak 1")
        report = trace.stop()
    figures(report, allocs=3, frees=1, live_blocks=2, unknown_frees=3, unwatched_blocks=0)
    check_gaps(report, 1, "memleak")
    equal(report.run["unwatched"][0]["from_ns"], 0, "begin of the gap")
    target.finish()


def test_off_at_first_launched():
    in_place(CONFIG, says(0))
    target = Launched()
    untouched(target.pid, target.trace)
    target.do("keep 3", "leak 2")
    turn(target.trace, 1)
    target.do("free 1", "keep 2", "free 3", "leak 1")
    report = target.finish()
    figures(report, allocs=3, frees=1, live_blocks=2, unknown_frees=3, unwatched_blocks=0)
    equal((report.json["verdict"], report.target["exit"]), ("unfreed", {"code": 0}), "end")


def check_never(report):
    equal(report.json["verdict"], "incomplete", "verdict")
    figures(report, allocs=0, frees=0, live_blocks=0, unknown_frees=0, unwatched_blocks=0)
    check_gaps(report, 1, "memleak", open_end=True)
    assert "it was not watched: memleak = 0" in report.stdout + report.stderr, report.stdout


def test_never_on_attached():
    in_place(CONFIG, says(0))
    target = Obedient()
    with unharmed(target.pid):
        trace = without_engine(attach(target.pid, "-c", CONFIG))
        target.do("leak 3")
        check_never(trace.stop())
    target.finish()


def test_never_on_launched():
    in_place(CONFIG, says(0))
    target = Launched()
    without_engine(target.trace)
    target.do("leak 3")
    target.trace.send("exit 5")
    report = target.trace.wait()
    check_never(report)
    equal((report.status, report.target["exit"]), (5, None), "exit status")
