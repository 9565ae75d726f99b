# SPDX-License-Identifier: GPL-2.0-or-later
"""
Files that are hostile, and a symbolizer that dies, hangs and is not root: names may be lost, but no
count, no target, no report, and no more time than its limits.
"""
import random
import struct
import zlib

from harness import *

LEAK_CHECK = False

sys.path.insert(0, f"{HERE}/hostile")
from elf import COMPRESSED, Elf, variant

WARNING = "symbolizer process"


def children(pid):
    return [int(word) for word in read(f"/proc/{pid}/task/{pid}/children").split()]


def processes_of(trace):
    """The one that starts others, and the one that reads files."""
    guardian, = until(lambda: [child for child in children(trace.tracer())
                               if "memtrace-symbol" in read(f"/proc/{child}/comm")], "a symbolizer")
    server, = until(lambda: children(guardian), "one that reads files")
    return guardian, server


def library():
    return os.path.abspath(build_library("leaking.c"))


def traced(*libraries, limit_s=120):
    """Traces what uses these libraries, and compares all that does not need names."""
    target = Target(build("host.c"), *libraries)
    target.expect("ready")
    with unharmed(target.pid):
        report, truth = trace_at_work(target)
    target.finish()
    exact(report, truth)
    assert report.took_s < limit_s * PATIENCE, f"the report took {report.took_s:.1f} s"
    return report


def found_in(report, path):
    """The innermost frame of the only site in a library."""
    frames = [site["stack"][0] for site in report.sites if site["stack"] and
              site["stack"][0]["module"] == path]
    equal(len(frames), 1, f"sites in {path} among {tops(report)}")
    return frames[0]


def warnings(report):
    return [line for line in report.stderr.splitlines() if WARNING in line]


def mutated(count, first):
    source = library()
    os.makedirs("variants", exist_ok=True)
    return [variant(source, os.path.abspath(f"variants/{seed}.so"), seed)
            for seed in range(first, first + count)]


def test_variants():
    """Loaded at the attach: each has its site, with module and offset at least."""
    paths = mutated(int(os.environ.get("VARIANTS", 400)) // len(engines_here()),
                    1 if engine() == "jump" else 100001)
    for first in range(0, len(paths), 50):
        part = paths[first:first + 50]
        report = traced(*part)
        for path in part:
            frame = found_in(report, path)
            assert frame["offset"], frame


def bombs():
    """1 TB, it says; 256 MB of zeros, really; a section that is longer than the file."""
    def compressed(name, claimed, contents):
        elf = Elf(library())
        elf.replace(".debug_info", struct.pack("<IIQQ", 1, 0, claimed, 1) + contents, COMPRESSED)
        return elf.write(os.path.abspath(name))
    squeezer = zlib.compressobj(9)
    zeros = b"".join(squeezer.compress(bytes(1 << 20)) for _ in range(256)) + squeezer.flush()
    longer = Elf(library())
    longer.set_field(longer.names[".debug_info"], 32, 1 << 40)
    return [compressed("claims.so", 1 << 40, zlib.compress(bytes(1000))),
            compressed("zeros.so", 256 << 20, zeros),
            longer.write(os.path.abspath("longer.so"))]


def test_bombs():
    paths = bombs()
    report = traced(*paths, library())
    for path in paths:
        found_in(report, path)
    equal(found_in(report, library())["function"], "allocate", "name in the file that is good")


def test_changed_while_mapped():
    """The header of one overwritten, another one cut short, once the loader is done with them."""
    paths = []
    for name in ("header.so", "cut.so"):
        paths.append(Elf(library()).write(os.path.abspath(name)))
    target = Target(build("host.c"), *paths, library())
    target.expect("ready")
    last = min(Elf(paths[1]).span(number)[0] for number in Elf(paths[1]).not_loaded())
    with open(paths[0], "r+b") as file:
        file.write(b"\xff" * 64)
    os.truncate(paths[1], last + 16)
    report, truth = trace_at_work(target)
    target.finish()
    exact(report, truth)
    equal(found_in(report, library())["function"], "allocate", "name in the file that is good")


@engines("break")
def test_headers_changed_while_unwound():
    """libunwind runs in memtrace itself: it must not read the files, but what is mapped."""
    chance = random.Random(1)
    paths = [Elf(library()).write(os.path.abspath(f"unwound{number}.so")) for number in range(20)]
    target = Target(build("host.c"), *paths)
    target.expect("ready")
    for path in paths:
        with open(path, "r+b") as file:
            file.seek(32)       # where the headers of the segments are
            file.write(struct.pack("<Q", chance.choice((1, 2 ** 31, 2 ** 40, 2 ** 64 - 8))))
            file.seek(56)       # how many there are
            file.write(struct.pack("<H", chance.choice((0, 1, 0x7fff, 0xffff))))
    with unharmed(target.pid):
        report, truth = trace_at_work(target, "--unwinder", "libunwind")
    target.finish()
    exact(report, truth)


# A symbolizer that dies

def while_traced(disturb, *options):
    """A trace of one library, of which the symbolizer is disturbed while it runs."""
    target = Target(build("host.c"), library())
    target.expect("ready")
    with unharmed(target.pid):
        trace = attach(target.pid, *options)
        disturb(*processes_of(trace))
        target.go()
        truth = target.truth()
        report = trace.stop()
    target.finish()
    exact(report, truth)
    return report


def test_killed():
    report = while_traced(lambda guardian, server: os.kill(server, signal.SIGKILL))
    equal(found_in(report, library())["function"], "allocate", "name by the next one")
    equal(warnings(report), [], "warnings")


def nameless(report):
    frame = found_in(report, library())
    equal((frame["function"], frame["line"]), (None, 0), "name")
    assert re.search(r"libleaking\.so\+0x[0-9a-f]+", report.stdout), report.stdout
    equal(len(warnings(report)), 1, "warnings")


def test_killed_for_good():
    nameless(while_traced(lambda guardian, server: os.kill(guardian, signal.SIGKILL)))


def test_nobody_to_start_another():
    """As long as starting one may take; then without."""
    def disturb(guardian, server):
        os.kill(guardian, signal.SIGSTOP)
        os.kill(server, signal.SIGKILL)
    nameless(while_traced(disturb))


def test_stopped():
    """A second Ctrl-C is for whoever does not want to wait for the time limit."""
    target = Target(build("host.c"), library())
    target.expect("ready")
    with unharmed(target.pid):
        trace = attach(target.pid)
        os.kill(processes_of(trace)[1], signal.SIGSTOP)
        target.go()
        truth = target.truth()
        trace.process.send_signal(signal.SIGINT)
        trace.until(lambda: "detached" in trace.stderr(), "detached")
        report = trace.stop()
    target.finish()
    exact(report, truth)
    equal(found_in(report, library())["function"], None, "name")


def guardians(memtrace):
    """As soon as there are any."""
    return [child for tracer in children(memtrace) for child in children(tracer)]


@engines("auto")
def test_killed_all_the_time():
    """From before the attach on, as often as it comes back.  What is not known is not traced."""
    target = Target(build("host.c"), library())
    target.expect("ready")
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid), "-d", "1"])
        while trace.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                for guardian in guardians(trace.process.pid):
                    for server in children(guardian):
                        os.kill(server, signal.SIGKILL)
            time.sleep(0.001)
        report = trace.wait()
    equal(report.status, 0, "exit status")
    target.go()
    target.truth()
    target.finish()


# And is not root

def status_of(pid):
    return {name: value.split() for name, value in
            (line.split(":", 1) for line in read(f"/proc/{pid}/status").splitlines())}


def rights_with(env, uid, gid):
    def look(guardian, server):
        for pid in (guardian, server):
            status = status_of(pid)
            equal((status["Uid"], status["Gid"]), ([str(uid)] * 4, [str(gid)] * 4), "user")
            equal(status["Groups"], [], "groups")
            for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                equal(status[kind], ["0" * 16], kind)
            equal(status["NoNewPrivs"], ["1"], "no_new_privs")
        equal(status["Seccomp"], ["2"], "the filter of system calls")
        assert not any("/proc/" in os.readlink(f"/proc/{server}/fd/{fd}")
                       for fd in os.listdir(f"/proc/{server}/fd")), "a descriptor of the target"
    os.environ.update(env)
    try:
        report = while_traced(look)
    finally:
        for name in env:
            del os.environ[name]
    equal(found_in(report, library())["function"], "allocate", "name")


@engines("auto")
def test_gives_up_root():
    if os.geteuid():
        raise Skip("not root")
    for name in ("SUDO_UID", "SUDO_GID"):
        os.environ.pop(name, None)
    rights_with({}, 65534, 65534)
    rights_with({"SUDO_UID": "12345", "SUDO_GID": "23456"}, 12345, 23456)


@engines("auto")
def test_files_for_root_only():
    """A source file is not shown; what is in the program itself needs no rights."""
    if os.geteuid():
        raise Skip("not root")
    os.makedirs("private", exist_ok=True)
    os.chmod("private", 0o700)
    with open("private/leaking.c", "w") as file:
        file.write(read(source("leaking.c")))
    path = os.path.abspath("private/own.so")
    run("cc", *CFLAGS, "-shared", "-fPIC", "-o", path, os.path.abspath("private/leaking.c"))
    report = traced(path)
    frame = found_in(report, path)
    equal((frame["function"], frame["line"]), ("allocate", line_of("leaking.c", "LEAK")), "name")
    assert "char *block = malloc" not in report.stdout, report.stdout
    os.chmod("private", 0o755)
    assert "char *block = malloc" in traced(path).stdout, "the line is shown to whom it may be"
