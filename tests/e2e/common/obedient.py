# SPDX-License-Identifier: GPL-2.0-or-later
"""The victim common/obeys.c, and the switch in a file of options, for cases that turn it."""
from storm import *

CONFIG = "memtrace.conf"
TURNS = 20

# The file

def in_place(path, text):
    with open(path, "w") as file:
        file.write(text)


def by_rename(path, text):
    in_place(path + ".new", text)
    os.replace(path + ".new", path)


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
    def __init__(self, **options):
        super().__init__(build("obeys.c", "-pthread"), **options)
        self.expect("ready")

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

    def do(self, *commands):
        for command in commands:
            before = self.trace.stdout().count("done\n")
            self.trace.send(command)
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


def live(report, *marks):
    """How many blocks of each of the victim's lines are."""
    return tuple(blocks_at(report, f"LIVE {mark}", "obeys.c") for mark in marks)


def figures(report, **expected):
    equal({key: report.heap[key] for key in expected}, expected, f"figures ({tops(report)})")
