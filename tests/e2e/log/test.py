# SPDX-License-Identifier: GPL-2.0-or-later
"""
Logs of every call: what programs tell of their own calls is there, each on a line; glibc's script
reads the other format.  Outputs that take nothing cost lines, and never time of the target.
"""
import ctypes
import pty
import termios

from harness import *

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 16384, 1 << 18

LINE = re.compile(r" *\d+\.\d{6} (?:(\d+)/)?(\d+|\?) \[(.*?)\]"
                  r"(\w+|operator \w+(?:\[\])?) --> addr: 0x([0-9a-f]+)(?:, size: (\d+))?"
                  r"(?:, (freed|failed))?(?:  (.+?):(\d+))?")
COUNTS = re.compile(r" *\d+\.\d{6} \S+ \[(.*)\]counts --> allocs: (\d+), frees: (\d+), size: (\d+), "
                    r"still in use: (\d+) bytes in (\d+) blocks(.*)")
SOON_S = 15 * PATIENCE


class Call:
    """A line of the log."""

    def __init__(self, line):
        match = LINE.fullmatch(line)
        assert match, f"no line of a log: {line!r}"
        self.pid, self.tid, self.caller, self.function, address, size, self.end, self.file, number = \
            match.groups()
        self.address, self.size = int(address, 16), size and int(size)
        self.line = number and int(number)


def calls_in(text):
    """All calls, after a look at each line; what comes before the last one is a call or a note."""
    lines = text.splitlines()
    assert lines and COUNTS.fullmatch(lines[-1]), f"no counts at the end: {lines[-1:]}"
    return [Call(line) for line in lines[:-1] if "-->" in line]


def counts_in(text):
    return COUNTS.fullmatch(text.splitlines()[-1])


def lost_in(report):
    match = re.search(r"log: (\d+) lines not written: (.*)", report.stderr)
    assert match, f"no lost lines in {report.stderr!r}"
    return int(match[1]), match[2]


def told(output):
    """What calls.c says of itself: {thread: its calls}."""
    found = {}
    for line in output.splitlines():
        if line.startswith("call "):
            _, tid, number, function, address, size = line.split()
            found.setdefault(tid, []).append((int(number), function, int(address, 16),
                                              None if size == "-" else int(size)))
    return found


def logged(calls, file):
    found = {}
    for call in calls:
        if call.file == file:
            found.setdefault(call.tid, []).append((call.line, call.function, call.address, call.size))
    return found


def same_calls(log, output):
    calls, expected = logged(calls_in(log), "calls.c"), told(output)
    assert expected, output
    equal(set(calls), set(expected), "threads")
    for tid, own in expected.items():
        wrong = [pair for pair in zip(calls[tid], own) if pair[0] != pair[1]]
        equal(wrong[:3], [], f"calls of thread {tid}, logged and told")
        equal(len(calls[tid]), len(own), f"number of calls of thread {tid}")


def three():
    return build("../three/three.c", out="three")


# Every call

def work_of(engine_name):
    return ("4", "40") if engine_name == "break" else ("8", "800")


def test_every_call_launched():
    report = launch(build("calls.c", "-pthread"), *work_of(engine()),
                    options=("--log-file", "launched.log"))
    equal(report.status, 0, f"exit status {report.stderr}")
    same_calls(read("launched.log"), report.stdout)
    counts = counts_in(read("launched.log"))
    equal(counts[1], "calls", "name of the program")
    heap = report.heap
    equal([int(counts[i]) for i in range(2, 7)],
          [heap[key] for key in ("allocs", "frees", "bytes_allocated", "live_bytes", "live_blocks")],
          "counts at the end")


def test_every_call_attached():
    target = Target(build("calls.c", "-pthread"), *work_of(engine()))
    target.expect("ready")
    with unharmed(target.pid):
        trace = attach(target.pid, "--log-file", "attached.log")
        target.go()
        output = []
        while not (line := target._line(WAIT_S)).startswith("truth"):
            output.append(line)
        report = trace.stop()
    target.finish()
    same_calls(read("attached.log"), "\n".join(output))
    equal(report.json["verdict"], "no-leak-seen", "verdict")


def test_caller_and_words():
    report = Trace(["--log", "--format", "json:words.json", "--", three()],
                   json_report=False).wait()
    equal(report.stdout, "", "standard output, which is the command's")
    calls = calls_in(report.stderr)
    equal([(c.caller, c.function, c.size, c.file) for c in calls],
          [("main", "malloc", 10, "three.c"), ("main", "malloc", 20, "three.c"),
           ("main", "malloc", 30, "three.c"), ("main", "free", None, "three.c"),
           ("main", "free", None, "three.c")], "calls")
    equal([c.address for c in calls[3:]], [calls[0].address, calls[2].address], "addresses")
    assert "allocs: 3, frees: 2, size: 60, still in use: 20 bytes in 1 blocks" in report.stderr


def test_before_the_report():
    text = launch(three(), options=("-l",), json_report=False).stderr
    assert 0 < text.index("counts -->") < text.index("HEAP SUMMARY"), text


def test_cxx():
    report = launch(build("news.cc"), options=("-l",), json_report=False)
    lines = [line for line in report.stderr.splitlines() if "news.cc" in line]
    found = [(c.caller, c.function, c.size, c.line) for c in map(Call, lines)]
    # The C++ library may jump from new[] to new, and from delete to free: then that is who called.
    called = [function.replace("[]", "").replace("operator delete", "free")
              for _, function, _, _ in found]
    equal(called, ["operator new", "free"] * 2, "functions")
    equal([(caller, size, line) for caller, _, size, line in found],
          [("main", 77, line_of("news.cc", "// NEW")), ("main", None, line_of("news.cc", "// OLD")),
           ("main", 33, line_of("news.cc", "// ARRAY")),
           ("main", None, line_of("news.cc", "// PAST"))], "calls")


def test_threads_by_their_numbers():
    """Also where one takes the place of another that has just ended."""
    report = launch(build("threads.c", "-pthread"), "200", options=("--log-file", "threads.log"))
    calls = [c for c in calls_in(read("threads.log")) if c.file == "threads.c"]
    expected = re.findall(r"thread (\d+)", report.stdout)
    equal([c.tid for c in calls], [tid for tid in expected for _ in range(2)], "threads")
    equal([str(c.size) for c in calls[::2]], expected, "sizes")


def test_failed():
    launch(build("calls.c", "-pthread"), "1", "1", options=("--log-file", "failed.log"))
    log = read("failed.log")
    failed = [(c.function, c.address, c.size) for c in calls_in(log) if c.end == "failed"]
    equal(failed, [("malloc", 0, 1 << 46)], "failed calls")
    assert ", failed: 1" in log.splitlines()[-1], log


def test_switch():
    """The lines stop, and one says so."""
    def turn(value):
        with open("memleak.conf", "w") as file:
            file.write(f"memleak = {value}\n")
    turn(1)
    target = Target(build("busy.c", "-pthread"), "1")
    target.expect("ready")
    with unharmed(target.pid):
        trace = attach(target.pid, "-c", "memleak.conf", "--log-file", "switch.log")
        turn(0)
        until(lambda: "nothing is watched" in read("switch.log"), "a line that says so")
        time.sleep(0.3)
        size = os.path.getsize("switch.log")
        time.sleep(0.5)
        equal(os.path.getsize("switch.log"), size, "size of the log")
        turn(1)
        until(lambda: "watched again" in read("switch.log"), "a line that says so")
        until(lambda: os.path.getsize("switch.log") > size + 1000, "more calls")
        trace.stop()
    target.finish()
    assert calls_in(read("switch.log"))


# Files

def test_children():
    target = Target(build("forks.c"))
    target.expect("ready")
    trace = attach(target.pid, "-f", "--log-file", "children.log", "--format", "mtrace:calls.%p.mtrace")
    target.go()
    child = int(target.expect("child").split()[1])
    target.expect("correct")
    report = trace.wait()
    equal(report.status, 0, f"exit status {report.stderr}")
    own, its = read(f"children.log.{target.pid}"), read(f"children.log.{child}")
    sizes = [(c.pid, c.size) for c in calls_in(own) if c.size in (111, 222, 333)]
    equal(sizes, [(str(target.pid), 111), (str(target.pid), 333)], "the parent's")
    assert own.index("size: 111") < own.index("another program") < own.index("size: 333"), own
    equal([(c.pid, c.size) for c in calls_in(its) if c.size in (111, 222, 333)],
          [(str(child), 222)], "the child's")
    after = read(f"calls.{target.pid}.mtrace")      # began anew with the exec
    assert after.startswith("= Start\n") and after.endswith("= End\n"), after
    assert " 0x14d\n" in after and " 0x6f\n" not in after, after


def test_pid_in_the_name():
    remove("by.*.log")
    report = Trace(["--log-file", "by.%p.log", "--", three()],
                   json_report=False).wait()
    found = glob.glob("by.*.log")
    equal(len(found), 1, f"files {found}")
    equal(len(calls_in(read(found[0]))), 5, "calls")
    assert "-->" not in report.stderr, report.stderr


def test_file_of_options():
    with open("log.conf", "w") as file:
        file.write("log-file = options.log\n")
    Trace(["-c", "log.conf", "--", three()], json_report=False).wait()
    equal(len(calls_in(read("options.log"))), 5, "calls")


# The script of glibc

def verdict(program, log):
    need("mtrace", "addr2line")
    done = subprocess.run(["mtrace", program, log], capture_output=True, text=True, timeout=WAIT_S)
    return done.returncode, done.stdout


def leaks(*flags, out="leaks"):
    """The program, next to which lies its library."""
    build_library("library.c")
    return build("leaks.c", "-L.", "-llibrary", "-Wl,-rpath," + os.getcwd(), *flags, out=out)


def mtraced(program, *arguments):
    report = Trace(["--format", "mtrace:leaks.mtrace", "--", program, *arguments],
                   json_report=False).wait()
    return report, read("leaks.mtrace")


def script_finds_all(program):
    report, log = mtraced(program, "twice")
    equal(report.status, 128 + signal.SIGABRT, "exit status")
    assert log.startswith("= Start\n") and log.endswith("= End\n"), log
    status, output = verdict(program, "leaks.mtrace")
    equal(status, 1, "status of the script")
    for size, place, mark in (("0xb", "leaks.c", "LEAK malloc"),
                              ("0x61a80", "leaks.c", "LEAK realloc"),
                              ("0x2c", "library.c", "LEAK library")):
        assert re.search(rf" {size} +at \S*/{place}:{line_of(place, mark)}\b", output), \
            f"no {mark} in\n{output}\n{log}"
    assert re.search(rf"Free \d+ was never alloc'd \S*leaks.c:{line_of('leaks.c', 'TWICE')}\b",
                     output), f"{output}\n{log}"
    equal(len(re.findall("was never alloc'd", output)), 1, f"frees of nothing\n{output}")


def test_script_position_independent():
    script_finds_all(leaks("-pie", "-fPIE"))


def test_script_fixed_position():
    script_finds_all(leaks("-no-pie", "-fno-pie", out="leaks-fixed"))


def test_script_without_leaks():
    program = leaks()
    report, log = mtraced(program)
    assert "correct" in report.stdout, report.stdout
    equal(verdict(program, "leaks.mtrace"), (0, "No memory leaks.\n"), f"the script's verdict\n{log}")


@engines("jump")
def test_script_of_threads():
    """The blocks of all threads are freed, but for those that the program keeps."""
    program = build("count.c", "-pthread")
    report = launch(program, "8", "2000", options=("--format", "mtrace:threads.mtrace"))
    _, output = verdict(program, "threads.mtrace")
    equal(re.findall("(?:never|duplicate).*", output), [], "blocks that the script wonders at")
    equal(len(re.findall("0x[0-9a-f]+ +0x.*at", output)), report.heap["live_blocks"], "leaks")


def test_script_can_have_no_shell():
    """A path goes to a shell of the script's: one with other letters is not there."""
    folder = "a;touch pwned;b"
    os.makedirs(folder, exist_ok=True)
    build_library("library.c", out=folder + "/liblibrary.so")
    program = build("leaks.c", "-L" + folder, "-llibrary",
                    "-Wl,-rpath," + os.getcwd() + "/" + folder, out="leaks-odd")
    mtraced(program, "leak")
    assert "pwned" not in read("leaks.mtrace"), read("leaks.mtrace")
    verdict(program, "leaks.mtrace")
    assert not os.path.exists("pwned"), "the shell has run it"


@engines("auto")
def test_refused():
    for options, words in ((("-l", "--sample", "64K"), "--sample and --log do not go together"),
                           (("--format", "mtrace:x", "--sample", "64K"),
                            "--sample and --format mtrace do not go together"),
                           (("--format", "mtrace"), "--format mtrace:FILE"),
                           (("--log-file", "/no/such/folder/log"), "No such file or directory")):
        report = Trace([*options, "--", "echo", "run"], json_report=False).wait()
        equal((report.status, report.stdout), (125, ""), f"{options}: {report.stderr}")
        assert words in report.stderr, report.stderr


# Outputs that take nothing

def busy():
    target = Target(build("busy.c", "-pthread"), "8")
    target.expect("ready")
    return target


def ends_soon(trace):
    began = time.monotonic()
    report = trace.stop()
    assert time.monotonic() - began < SOON_S, f"{time.monotonic() - began} s to the end"
    return report


def traced_busy(*options, meanwhile=lambda: None, **more):
    """8 threads that do nothing but allocate, for a second."""
    target = busy()
    with unharmed(target.pid):
        trace = attach(target.pid, *options, **more)
        time.sleep(1)
        meanwhile()
        report = ends_soon(trace)
    target.finish()
    assert report.heap["allocs"] > 100, report.heap
    return report


def test_full_device():
    report = traced_busy("--log-file", "/dev/full")
    lost, why = lost_in(report)
    assert lost >= report.heap["allocs"] and "No space left" in why, (lost, why)


def fifo(name):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
    os.mkfifo(name)
    return name


def reader_of(name):
    return os.open(fifo(name), os.O_RDONLY | os.O_NONBLOCK)


def test_fifo_without_a_reader():
    fifo("fifo")
    report = traced_busy("--log-file", "fifo")
    lost, why = lost_in(report)
    assert lost >= report.heap["allocs"] and "nobody reads" in why, (lost, why)


def test_fifo_that_is_not_read():
    reader = reader_of("unread")
    lost, why = lost_in(traced_busy("--log-file", "unread"))
    assert lost > 0 and "nobody reads" in why, (lost, why)
    os.close(reader)


def test_reader_that_comes_late():
    fifo("late")
    target = Target(leaks())
    target.expect("ready")
    trace = attach(target.pid, "--log-file", "late")
    target.go()
    target.expect("correct")
    with open("late") as file:
        text = file.read()
    trace.wait()
    assert len([c for c in calls_in(text) if c.file == "leaks.c"]) == 8, text


def test_reader_that_goes():
    reader = reader_of("left")
    report = traced_busy("--log-file", "left", meanwhile=lambda: os.close(reader))
    lost, why = lost_in(report)
    assert lost > 0 and "Broken pipe" in why, (lost, why)


def small_disk(folder):
    """For a process that is about to become memtrace: it finds room for 400 KiB there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def become():
        if libc.unshare(CLONE_NEWNS) or \
                libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) or \
                libc.mount(b"none", folder.encode(), b"tmpfs", 0, b"size=400k"):
            raise OSError(ctypes.get_errno(), "another view of the files")
    return become


def test_full_disk():
    """The lines before it are whole, and so is the rest of the run."""
    folder = os.path.abspath("disk")
    os.makedirs(folder, exist_ok=True)
    try:
        subprocess.run(["true"], check=True, preexec_fn=small_disk(folder))
    except subprocess.SubprocessError as reason:
        raise Skip(f"a mount namespace cannot be had: {reason}")
    target = busy()
    with unharmed(target.pid):
        trace = attach(target.pid, "--log-file", folder + "/log", preexec_fn=small_disk(folder))
        log = f"/proc/{trace.process.pid}/root{folder}/log"
        until(lambda: os.path.getsize(log) >= 400 << 10, "a full disk")
        lines = read(log).splitlines()
        report = ends_soon(trace)
    target.finish()
    lost, why = lost_in(report)
    assert lost > 0 and "No space left" in why, (lost, why)
    for line in lines[:-1]:
        Call(line)


def test_closed_standard_error():
    target = busy()
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid), "-l"], preexec_fn=lambda: os.close(2))
        until(lambda: not untraced(target.pid), "attached")
        time.sleep(1)
        report = ends_soon(trace)
    target.finish()
    assert report.heap["allocs"] > 0


def test_standard_error_that_is_not_read():
    """It has room for some of the lines; the report goes elsewhere, and is whole."""
    target = busy()
    reader, writer = os.pipe()
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid), "-l"], stderr=writer)
        os.close(writer)
        until(lambda: not untraced(target.pid), "attached")
        time.sleep(1)
        report = ends_soon(trace)
    target.finish()
    assert report.heap["allocs"] > 0 and "HEAP SUMMARY" in report.stdout
    os.close(reader)


def test_halted_terminal():
    """Ctrl-S."""
    target = busy()
    master, slave = pty.openpty()
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid), "-l"], stderr=slave)
        until(lambda: not untraced(target.pid), "attached")
        until(lambda: b"-->" in os.read(master, 65536), "lines")
        termios.tcflow(slave, termios.TCOOFF)
        time.sleep(1)
        report = ends_soon(trace)
    target.finish()
    assert report.heap["allocs"] > 0 and "HEAP SUMMARY" in report.stdout
    os.close(slave)
    os.close(master)


def test_stopped_reader_of_a_command():
    """A command writes to standard error itself, and ends as ever."""
    reader = reader_of("command")
    report = Trace(["--log-file", "command", "--", build("count.c", "-pthread"), "2",
                    "300" if engine() == "break" else "30000"]).wait(60 * PATIENCE)
    equal(report.status, 0, "exit status")
    assert "correct" in report.stdout and lost_in(report)[0] > 0, report.stderr
    os.close(reader)
