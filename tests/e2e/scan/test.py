# SPDX-License-Identifier: GPL-2.0-or-later
"""--scan: one look at a process that nobody traces."""
from harness import *


def look(pid, *options):
    return Trace(["--scan", "-p", str(pid), *options]).wait()


def lines_of(kind):
    """How many lines of kinds.c say that their block is of it."""
    return len(re.findall(rf"/\* [^:*]+: {kind} \*/", read(source("kinds.c"))))


def test_what_is_lost():
    """The same blocks as a whole trace tells of, and nothing of it is seen in the process."""
    with Kinds() as target, unharmed(target.pid):
        report = look(target.pid)
    equal((report.status, report.json["verdict"], report.json["scan"]["only"], report.heap["allocs"]),
          (0, "leak", True, 0), "a look")
    before = report.json["leak_summary"]["before_attach"]
    equal({kind: before[kind]["blocks"] for kind in ("definite", "indirect", "possible")},
          {"definite": lines_of("definite") + 1, "indirect": lines_of("indirect") + 999,
           "possible": lines_of("possible")}, "kinds")
    heap = report.json["scan"]["heap"]
    equal(heap["mapped"]["blocks"], 0, "mapped blocks")
    used = sum(arena["used_blocks"] for arena in heap["arenas"])
    assert used >= sum(before[kind]["blocks"] for kind in before), (used, before)
    for arena in heap["arenas"]:
        assert arena["used_bytes"] + arena["free_bytes"] + arena["top_bytes"] <= arena["system_bytes"], arena
    lost = before["definite"]["blocks"] + before["indirect"]["blocks"]
    assert re.match(rf"LEAK: kinds \(pid \d+\) has lost [\d,]+ bytes in {lost:,} blocks\.\n"
                    r" +Nothing points to them any more\.\n\nLooked   at ", report.stdout), report.stdout
    assert re.search(r"\n      main arena +[\d,]+ in +[\d,]+ ", report.stdout), report.stdout
    assert re.search(r"\nBLOCKS: [\d,]+ bytes in [\d,]+ blocks\n +[\d,]+ bytes in +[\d,]+ blocks of 72 +LOST ",
                     report.stdout), report.stdout


class Kinds:
    """The program of the case kinds, when all its blocks are there."""
    def __enter__(self):
        self.target = Target(build("kinds.c", "-pthread"), "waits")
        self.target.expect("ready")
        self.target.go()
        self.target.expect("done")
        return self.target

    def __exit__(self, *unused):
        self.target.finish()


def test_nothing_lost():
    target = Target("/bin/cat")
    target.send("on")
    target.expect("on")
    with unharmed(target.pid):
        report = look(target.pid)
    equal((report.status, report.json["verdict"]), (0, "no-leak-seen"), "a look")
    assert report.stdout.startswith(f"NOTHING LOST: cat (pid {target.pid}) has pointers to all its blocks"), \
        report.stdout
    target.process.stdin.close()
    equal(target.process.wait(WAIT_S), 0, "exit status of the target")


def test_again_and_again():
    with Kinds() as target, unharmed(target.pid):
        first = look(target.pid).json["leak_summary"]
        for _ in range(10):
            equal(look(target.pid).json["leak_summary"], first, "another look")


def test_busy_heap():
    """A moment is looked for at which no thread is at work in it; seldom there is none."""
    target = Target(build("busy.c", "-pthread"))
    target.expect("ready")
    walked = 0
    with unharmed(target.pid):
        for _ in range(10):
            report = look(target.pid)
            if report.json["verdict"] == "incomplete":
                equal(report.json["scan"]["walk_stopped"], "a thread was at work in it", "why")
                continue
            walked += 1
            equal((report.json["verdict"], report.json["leak_summary"]["before_attach"]["definite"]["blocks"]),
                  ("leak", 1), "what is lost")
    target.finish()
    assert walked >= 5, f"{walked} of 10 looks"


def test_status():
    with Kinds() as target:
        report = look(target.pid, "--error-exitcode=7")
        equal(report.status, 7, "status")


def test_another_allocator():
    """Never a guess."""
    library = first_of("libjemalloc.so.2")
    target = Target("/bin/cat", env={"LD_PRELOAD": library})
    target.send("on")
    target.expect("on")
    report = look(target.pid, "--error-exitcode=7")
    equal((report.status, report.json["verdict"], report.json["before_attach"]), (125, "incomplete", []),
          "a look")
    assert "only glibc's heap can be walked" in report.stdout, report.stdout
    target.process.stdin.close()
    equal(target.process.wait(WAIT_S), 0, "exit status of the target")


def first_of(name):
    for folder in "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib":
        if os.path.exists(f"{folder}/{name}"):
            return f"{folder}/{name}"
    raise AssertionError(f"{name} is not there")


def test_what_makes_no_sense():
    for words in (["true"], ["-p", "1", "-d", "3"], ["-p", "1", "--sample", "1M"], ["-p", "1", "-l"],
                  ["--resolve", "x"], ["-p", "1", "--leak-check=no"]):
        report = Trace(["--scan", *words], json_report=False).wait()
        equal(report.status, 125, "exit status")
        assert "--scan takes one look at running processes (-p): it does not go together with" in \
            report.stderr, report.stderr
    report = Trace(["--scan"], json_report=False).wait()
    equal(report.status, 125, "exit status")


for test in (test_what_is_lost, test_nothing_lost, test_again_and_again, test_busy_heap, test_status,
             test_another_allocator, test_what_makes_no_sense):
    test.engines = ("auto",)
