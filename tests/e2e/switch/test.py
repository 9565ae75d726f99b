# SPDX-License-Identifier: GPL-2.0-or-later
"""
memleak = 0 or 1 in the file of options, changed while memtrace runs.  At 0 the target is as it was
before the attach, but traced; what it does then is in no figure, and what was live when it was
turned off neither once it is on again.
"""
import random

from storm import *

CONFIG = "memtrace.conf"
TURNS = 20
STORM_SECONDS = 8


# The file

def in_place(path, text):
    with open(path, "w") as file:
        file.write(text)


def by_rename(path, text):
    in_place(path + ".new", text)
    os.replace(path + ".new", path)


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


def says(on):
    return f"memleak = {on}\n"


def turn(trace, on, write=in_place, path=CONFIG):
    """Comes back once memtrace has done so."""
    word = f"memleak = {on}: "
    before = trace.stderr().count(word)
    write(path, says(on))
    trace.until(lambda: trace.stderr().count(word) > before, f"memleak = {on}")


# The victim

class Obedient(Target):
    """Does what it is told."""

    def __init__(self, **options):
        super().__init__(build("obeys.c", "-pthread"), **options)
        self.expect("ready")

    def send(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def do(self, *commands):
        for command in commands:
            self.send(command)
            self.expect("done")

    def exec(self, blocks=0):
        self.send(f"exec {blocks}")
        self.expect("ready")


class Launched:
    """The same, started by memtrace."""

    def __init__(self, *options):
        self.trace = Trace(["-c", CONFIG, *options, "--", build("obeys.c", "-pthread")],
                           stdin=subprocess.PIPE)
        self.trace.until(lambda: "ready" in self.trace.stdout(), "a command that is ready")
        self.pid = int(re.search(r"ready (\d+)", self.trace.stdout())[1])

    def send(self, command):
        self.trace.process.stdin.write(command.encode() + b"\n")
        self.trace.process.stdin.flush()

    def do(self, *commands):
        for command in commands:
            before = self.trace.stdout().count("done\n")
            self.send(command)
            self.trace.until(lambda: self.trace.stdout().count("done\n") > before, command)

    def finish(self):
        self.trace.process.stdin.close()
        report = self.trace.wait()
        assert "correct\n" in report.stdout, report.stdout
        equal(report.status, 0, f"exit status {report.stderr}")
        return report


def obedient(on, *options, **more):
    """(target, trace), attached with the switch as it says."""
    in_place(CONFIG, says(on))
    target = Obedient(**more)
    return target, attach(target.pid, "-c", CONFIG, *options)


def without_engine(trace):
    """Where nothing has been watched there is none to be compared."""
    trace.engine = None
    return trace


def untouched(pid, tracer):
    """Nothing of memtrace's is in it, and yet it is traced."""
    equal(patched(pid), [], "code that is not the original while it is off")
    equal(ours_in(pid), set(), "mappings of memtrace's while it is off")
    equal({int(status["TracerPid"]) for status in threads(pid).values()}, {tracer.tracer()},
          "tracers while it is off")


def blocks_at(report, mark, name="obeys.c"):
    line = line_of(name, mark)
    return sum(s["blocks"] for s in report.sites if is_at(s["stack"][:1], name, line))


def figures(report, **expected):
    equal({key: report.heap[key] for key in expected}, expected, f"figures ({tops(report)})")


def gaps(report, nr, open_end=False):
    """So many, in order, of which the last one may be open."""
    found = report.run["unwatched"]
    equal(len(found), nr, f"gaps {found}")
    times = [time for gap in found for time in (gap["from_ns"], gap["to_ns"])]
    if open_end:
        equal(times[-2:], [report.run["duration_ns"], None], "the last gap")
        times.pop()
    equal(times, sorted(times), "times of the gaps")
    assert times[-1] <= report.run["duration_ns"], (times, report.run["duration_ns"])


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
    gaps(report, 1)
    equal((blocks_at(report, "LIVE leak"), blocks_at(report, "LIVE keep")), (4, 4), "blocks")
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
    gaps(report, 3)
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
    gaps(report, 1, open_end=True)
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
        target.send(end)
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
    gaps(report, 1)
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
    gaps(report, 1, open_end=True)
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
    target.send("exit 5")
    report = target.trace.wait()
    check_never(report)
    equal((report.status, report.target["exit"]), (5, None), "exit status")


# What happens meanwhile

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
    equal((report.target["execs"], blocks_at(report, "LIVE leak")), (1, 2), "execs and blocks")
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
    for path in glob.glob("followed*"):
        os.unlink(path)
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
    equal((blocks_at(report, "LIVE own", "plugin.c"), blocks_at(report, "LIVE pool")), (3, 4),
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
    equal((blocks_at(report, "LIVE own", "plugin.c"), blocks_at(report, "LIVE pool")), (4, 5),
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
    equal(blocks_at(report, "LIVE thread"), 11, "blocks of the threads")
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
    equal(blocks_at(trace.stop(), "LIVE leak"), 3, "blocks")
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
    equal((blocks_at(report, "LIVE pool"), blocks_at(report, "LIVE slow"),
           blocks_at(report, "LIVE leak")), (3, 0, 2), "blocks")
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
    equal((blocks_at(report, "LIVE pool"), blocks_at(report, "LIVE slow")), (3, 1), "blocks")
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
    gaps(report, 1, open_end=True)
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
    for path in glob.glob("several*"):
        os.unlink(path)
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


# Under load

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
    equal(report.run["dropped"], 0, "dropped events")
    gaps(report, TURNS)
    target.finish()
    return report


def busy():
    target = Target(build("busy.c", "-pthread"), "8")
    target.expect("ready")
    return target


def test_8_busy_threads():
    report = turned_often(busy())
    assert report.heap["allocs"] > 0 and report.heap["live_blocks"] <= 8, report.heap
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
