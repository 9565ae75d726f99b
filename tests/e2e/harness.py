# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the e2e cases share: victims, memtrace, and what must hold after every trace.

    harness.py CASE     runs every test_* function of tests/e2e/CASE/test.py, speaks TAP

A case is a folder with test.py and its victims.  Victims keep to common/truth.h: they say
"ready", wait, work, say the "truth" that memtrace must report, wait, say "correct" and end
with 0.  With no input (launched) they do not wait.  A new test is a new folder.

Each test runs on every engine, one engine after the other; the environment variable ENGINE
(break or jump) keeps to one.  A case with ENGINES = (...) or a test under @engines(...) keeps to
those named; "auto" is for what has nothing to do with the engine: it runs once, without
--engine.

No report of a case may claim a wrong free, unless the case has WRONG_FREES = True.  A case with
LEAK_CHECK = False is of other things than what became of the blocks that are left: they are told as
unfreed, and no more.

Every wait is bounded, and every process is ended by its pid.
"""
import contextlib
import functools
import glob
import hashlib
import importlib.util
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
COMMON = HERE + "/common"
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
MEMTRACE = os.path.abspath(os.environ.get("MEMTRACE") or BUILD + "/memtrace")
SANITIZED = bool(os.environ.get("SAN"))
PATIENCE = 4 if SANITIZED else 1        # sanitized tracers are slow
WAIT_S = 30 * PATIENCE                  # for anything that should happen soon
TEST_LIMIT_S = 240 * PATIENCE           # for a whole test
PYTHON = "/usr/bin/python3"
CASE = HERE                             # folder of the running case; set by main()
CHILDREN = []                           # processes of the running test
JUMP = True                             # the engine jump is there: test it without being asked
ENGINES_KNOWN = ("break", "jump")
WRONG_FREES = False                     # the running case frees wrongly; set by main()
LEAK_CHECK = True                       # ... has its blocks looked at; likewise
ENGINE = "auto"                         # of the running test; set by main()
CONFIG_HOME = BUILD + "/e2e/home"       # of an empty memtrace.conf, in place of the user's
CFLAGS = ["-g", "-O1", "-fno-builtin", "-Wall", "-D_GNU_SOURCE", "-I" + COMMON]
VERDICTS = {"leak", "growing", "no-leak", "no-leak-seen", "unfreed", "incomplete"}


class Skip(Exception):
    """This test cannot run here; the text says why."""


def need(*programs):
    for program in programs:
        if subprocess.run(["sh", "-c", f"command -v {program}"], capture_output=True).returncode:
            raise Skip(f"{program} is not installed")


def equal(found, expected, what):
    assert found == expected, f"{what}: {found!r}, must be {expected!r}"


def until(condition, what, limit_s=WAIT_S):
    """Waits for condition() to return something true and returns that."""
    end = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {limit_s} s: {what}"
        time.sleep(0.01)
    return value


def read(path, mode="r"):
    with open(path, mode, **{} if "b" in mode else {"errors": "surrogateescape"}) as file:
        return file.read()


def remove(pattern):
    """What an earlier run has left."""
    for path in glob.glob(pattern):
        os.unlink(path)


# Engines

def engine():
    """The engine of the running test; "auto" where it does not matter."""
    return ENGINE


def engines(*names):
    """Marks a test that is not for every engine."""
    def mark(test):
        test.engines = names
        return test
    return mark


def engines_here():
    """Those that are tested in this run."""
    chosen = os.environ.get("ENGINE")
    if chosen:
        assert chosen in ENGINES_KNOWN, f"ENGINE={chosen}, must be one of {ENGINES_KNOWN}"
        return (chosen,)
    return ENGINES_KNOWN if JUMP else ("break",)


@functools.cache
def has_engines():
    """Whether memtrace has the option at all."""
    return b"--engine" in subprocess.run([MEMTRACE, "--help"], capture_output=True,
                                         timeout=WAIT_S).stdout


def engine_option(arguments):
    """What puts a memtrace on the engine of the running test, unless the test does so itself."""
    own = list(arguments)[:list(arguments).index("--")] if "--" in arguments else arguments
    if ENGINE == "auto" or not has_engines() or \
            any(isinstance(word, str) and word.startswith("--engine") for word in own):
        return []
    return ["--engine", ENGINE]


def leak_check_option():
    return [] if LEAK_CHECK else ["--leak-check=no"]


# Building

def source(name):
    own = f"{CASE}/{name}"
    return own if os.path.exists(own) else f"{COMMON}/{name}"


def run(*command, **options):
    """Runs a helper program that must succeed; returns its output."""
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=TEST_LIMIT_S, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
    return done.stdout


def build(name, *flags, out=None, compiler=None):
    """Compiles a source of the case or of common/ into the case's build folder."""
    out = os.path.abspath(out or os.path.splitext(name)[0])
    cxx = name.endswith(".cc")
    compiler = compiler or (os.environ.get("CXX") or "g++" if cxx else os.environ.get("CC") or "cc")
    run(compiler, *CFLAGS, "-o", out, source(name), *flags)
    return out


def build_library(name, *flags, out=None, **options):
    return build(name, "-shared", "-fPIC", *flags,
                 out=out or f"lib{os.path.splitext(name)[0]}.so", **options)


def line_of(name, mark):
    """The number of the line of a source that carries a mark, e.g. in a comment."""
    lines = [n for n, line in enumerate(read(source(name)).splitlines(), 1) if mark in line]
    equal(len(lines), 1, f"lines of {name} with {mark!r}")
    return lines[0]


# Targets

class Target:
    """A victim that runs natively until somebody attaches."""

    def __init__(self, *command, env=None, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=dict(os.environ, **(env or {})), **options)
        CHILDREN.append(self.process)
        self.pid = self.process.pid
        self.unread = b""

    def _line(self, limit_s):
        end = time.monotonic() + limit_s
        while b"\n" not in self.unread:
            left = end - time.monotonic()
            assert left > 0, f"target {self.pid} says nothing"
            if select.select([self.process.stdout], [], [], left)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, f"target {self.pid} ended early: {self.process.wait(WAIT_S)}"
                self.unread += data
        line, self.unread = self.unread.split(b"\n", 1)
        return line.decode("utf-8", "replace")

    def expect(self, start, limit_s=WAIT_S):
        """Reads on to a line that begins so."""
        while not (line := self._line(limit_s)).startswith(start):
            assert not line.startswith("WRONG"), line
        return line

    def go(self):
        self.send("")

    def send(self, command):
        send_line(self.process, command)

    def do(self, *commands):
        """What a victim of common/commands.h is told, one after the other."""
        for command in commands:
            self.send(command)
            self.expect("done")

    def truth(self):
        return truth_in(self.expect("truth"))

    def finish(self):
        """Lets it go on to its end, which must be a good one."""
        self.go()
        self.expect("correct")
        self.process.stdin.close()
        equal(self.process.wait(WAIT_S), 0, "exit status of the target")


def send_line(process, line):
    process.stdin.write(line.encode() + b"\n")
    process.stdin.flush()


def truth_in(text):
    """What a victim said of itself, from its output or a line of it."""
    lines = [line for line in text.splitlines() if line.startswith("truth ")]
    assert lines, f"no truth in {text!r}"
    return {key: int(value) for key, value in (word.split("=") for word in lines[-1].split()[1:])}


def threads(pid):
    """{tid: {field: value}} out of the status files of a process, zombies left out."""
    found = {}
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with contextlib.suppress(OSError):
            status = dict(line.split(":\t", 1) for line in read(path).splitlines() if ":\t" in line)
            if not status["State"].startswith(("Z", "X")):
                found[int(path.split("/")[4])] = status
    return found


def stopped(pid):
    return {tid for tid, status in threads(pid).items() if status["State"][0] in "tT"}


def code_of(pid):
    """A digest of each executable mapping; a mapping that is not there any more is left out."""
    found = {}
    tid = next(iter(threads(pid)))
    with open(f"/proc/{pid}/task/{tid}/mem", "rb", 0) as memory:
        for line in read(f"/proc/{pid}/task/{tid}/maps").splitlines():
            span, mode, _, _, _, *path = line.split(None, 5)
            if "x" in mode and path != ["[vsyscall]"]:
                start, end = (int(word, 16) for word in span.split("-"))
                with contextlib.suppress(OSError):
                    memory.seek(start)
                    found[span, *path] = hashlib.sha1(memory.read(end - start)).hexdigest()
    return found


def patched(pid):
    """The executable mappings that are not what their files say."""
    found = []
    for line in read(f"/proc/{pid}/maps").splitlines():
        span, mode, offset, _, inode, *path = line.split(None, 5)
        if "x" in mode and inode != "0" and os.path.exists(path[0]):
            start, end = (int(word, 16) for word in span.split("-"))
            with contextlib.suppress(OSError), open(f"/proc/{pid}/mem", "rb", 0) as memory, \
                    open(path[0], "rb") as file:
                memory.seek(start)
                file.seek(int(offset, 16))
                original = file.read(end - start)
                if memory.read(len(original)) != original:
                    found.append(line)
    return found


def ours_in(pid):
    """What memtrace leaves in a process only while it is attached: mappings of its shared memory,
    memory that a fork child finds empty (flag wf), and descriptors."""
    found, line = set(), ""
    tid = next(iter(threads(pid)))
    for text in read(f"/proc/{pid}/task/{tid}/smaps").splitlines():
        if re.match(r"[0-9a-f]+-", text):
            line = text
            if "/memfd:memtrace" in line:
                found.add(line)
        elif text.startswith("VmFlags:") and "wf" in text.split():
            found.add(line)
    for path in glob.glob(f"/proc/{pid}/task/{tid}/fd/*"):
        with contextlib.suppress(OSError):
            if "memfd:memtrace" in os.readlink(path):
                found.add(path)
    return found


def untraced(pid):
    return all(status["TracerPid"].strip() == "0" for status in threads(pid).values())


@contextlib.contextmanager
def unharmed(pid, was_stopped=False, loads=False):
    """What every trace must leave behind: a living target with its own code, no tracer, nothing
    of memtrace's, and no thread stopped that was not stopped before.  A target that `loads`
    libraries all the time is compared with its files, until they agree."""
    code, ours = {} if loads else code_of(pid), ours_in(pid)
    yield
    until(lambda: untraced(pid), f"pid {pid} without a tracer", 5)
    if was_stopped:
        equal(stopped(pid), set(threads(pid)), "threads still stopped")
    else:
        until(lambda: not stopped(pid), f"pid {pid} without a stopped thread", 5)
    now = code_of(pid)
    changed = [key for key in code if key in now and code[key] != now[key]]
    equal(changed, [], "code that is not the original")
    if loads:
        until(lambda: not patched(pid), "code that is its files'", 5)
    added = [key for key in now if key not in code and len(key) == 1]
    equal(added, [], "executable mappings left behind")
    equal(ours_in(pid) - ours, set(), "mappings of memtrace's left behind")
    assert threads(pid), f"pid {pid} is gone"


# memtrace

class Report:
    """What a run of memtrace left: status, stdout, stderr, and the JSON if it was asked for; and
    how long its end took, where it was told to end."""

    def __init__(self, status, stdout, stderr, json_file, engine=None):
        self.status, self.stdout, self.stderr = status, stdout, stderr
        complaint = re.search(r"(ERROR: \w+Sanitizer|runtime error:).*", stderr)
        assert not complaint, f"memtrace's own fault: {complaint[0]}\n{stderr}"
        self.json = json_in(read(json_file, "rb")) if json_file and os.path.exists(json_file) else None
        if self.json:
            self.heap, self.run = self.json["heap"], self.json["run"]
            self.sites, self.target = self.json["sites"], self.json["target"]
            if engine:
                equal(self.run["engine"], engine, "engine of the run")

    def at(self, name, mark):
        """The only site whose allocating line is the one so marked."""
        line = line_of(name, mark)
        found = [site for site in self.sites if is_at(site["stack"][:1], name, line)]
        equal(len(found), 1, f"sites at {name}:{line} among {tops(self)}")
        return found[0]


def untouched(pid, trace):
    """Nothing of memtrace's is in it, and yet it is traced."""
    equal(patched(pid), [], "code that is not the original while it is not watched")
    equal(ours_in(pid), set(), "mappings of memtrace's while it is not watched")
    equal({int(status["TracerPid"]) for status in threads(pid).values()}, {trace.tracer()},
          "tracers while it is not watched")


def blocks_at(report, mark, name):
    """How many of the line so marked are live; there may be several sites of it, or none."""
    line = line_of(name, mark)
    return sum(s["blocks"] for s in report.sites if is_at(s["stack"][:1], name, line))


def check_gaps(report, nr, reason, open_end=False):
    """So many times in which it was not watched, in order, of which the last one may be open."""
    gaps = report.run["unwatched"]
    equal([gap["reason"] for gap in gaps], [reason] * nr, f"reasons of the gaps {gaps}")
    times = [time for gap in gaps for time in (gap["from_ns"], gap["to_ns"])]
    if open_end:
        equal(times[-2:], [report.run["duration_ns"], None], "the last gap")
        times.pop()
    equal(times, sorted(times), "times of the gaps")
    assert times[-1] <= report.run["duration_ns"], (times, report.run["duration_ns"])


def is_at(frames, name, line):
    return any(os.path.basename(f["file"] or "") == name and f["line"] == line for f in frames)


def tops(report):
    """The allocating lines, for messages."""
    return [(s["function"], s["blocks"], s["bytes"],
             *(s["stack"] and [s["stack"][0][key] for key in ("function", "file", "line", "module")]))
            for s in report.sites]


def engine_of(report, name, module=""):
    """On which engine a function is, e.g. "jump"; "break, jump" where several have the name.
    `module`: part of the path of the file that it is in."""
    found = {f["engine"] for f in report.run["functions"]
             if f["name"] == name and module in (f["module"] or "")}
    assert found, f"no {name} of {module or 'any module'} in {report.run['functions']}"
    return ", ".join(sorted(found))


def functions(site):
    return [frame["function"] for frame in site["stack"]]


def rank(site):
    """Lost, possibly lost, what grows or is unfreed, the rest."""
    ranks = {"definite": 0, "possible": 1, "unfreed": 2, "reachable": 3, "indirect": 4}
    return 2 if site["growing"] else ranks[site["kind"]]


def check_leaks(report):
    """The kinds of the places make the sums; where nobody has looked, all is unfreed."""
    sites, leaks, scan = report["sites"], report["leak_summary"], report["scan"]
    equal(leaks is not None, scan["done"], "a summary of leaks")
    if not scan["done"]:
        equal({s["kind"] for s in sites} - {"unfreed"}, set(), "kinds")
        return
    for kind, found in leaks["seen"].items():
        for figure in ("bytes", "blocks"):
            equal(sum(s[figure] for s in sites if s["kind"] == kind), found[figure],
                  f"{figure} of {kind}")
    for figure in ("bytes", "blocks"):
        equal(sum(s["indirect_" + figure] for s in sites) + leaks["indirect_of_before"][figure],
              leaks["seen"]["indirect"][figure] + leaks["before_attach"]["indirect"][figure],
              f"indirect {figure}")
    lost = leaks["seen"]["definite"]["blocks"] or leaks["before_attach"]["definite"]["blocks"]
    if report["verdict"] != "incomplete":
        equal(report["verdict"] == "leak", lost > 0, "a leak told of")


def check_errors(report):
    """Of leaks those that count as errors unless something else is asked for."""
    summary = report["error_summary"] or {"errors": 0, "contexts": 0, "leaks": 0, "lost": 0}
    kinds = ("definite", "possible")
    before = report["leak_summary"]["before_attach"] if report["leak_summary"] else {}
    leaks = sum(s["kind"] in kinds for s in report["sites"]) + \
        sum(before[kind]["blocks"] > 0 for kind in kinds if before)
    equal(summary["leaks"], leaks, "leaks that are errors")
    equal(summary["errors"], sum(e["count"] for e in report["errors"]) + leaks, "errors")
    equal(summary["contexts"], len(report["errors"]) + leaks, "contexts")


def places(rows):
    """The rows of one place, one for each kind of its blocks, as one, of the first one's kind."""
    found = {}
    for row in rows:
        key = row["function"], row["first_ns"], *(frame["pc"] for frame in row["stack"])
        place = found.setdefault(key, dict(row, bytes=0, blocks=0, growing=False))
        for figure, joined in (("bytes", int.__add__), ("blocks", int.__add__), ("growing", max),
                               ("oldest_live_ns", min), ("newest_live_ns", max),
                               ("smallest_bytes", min), ("largest_bytes", max)):
            place[figure] = joined(place[figure], row[figure])
    return list(found.values())


def json_in(data):
    """One document, with all that must be true of every report checked."""
    report = json.loads(data.decode("utf-8"))
    heap, sites = report["heap"], report["sites"]
    for key in ("version", "target", "run", "memory", "modules", "errors"):
        assert key in report, f"no {key} in the report"
    assert report["verdict"] in VERDICTS, report["verdict"]
    for group in (heap, report["memory"]):
        assert all(isinstance(v, int) and v >= 0 for v in group.values()), group
    if report["verdict"] != "incomplete":
        equal(report["run"]["dropped"], 0, "dropped events")
        equal(heap["allocs"] - heap["frees"] - heap["missed_frees"], heap["live_blocks"],
              "allocs - frees - missed frees")
    assert WRONG_FREES or not report["errors"], f"errors claimed: {report['errors']}"
    check_errors(report)
    equal(sum(s["blocks"] for s in sites), heap["live_blocks"], "sum of the sites' blocks")
    equal(sum(s["bytes"] for s in sites), heap["live_bytes"], "sum of the sites' bytes")
    assert heap["peak_bytes"] >= heap["live_bytes"], heap
    order = [(rank(s), -s["bytes"] - s["indirect_bytes"], -s["blocks"], s["first_ns"])
             for s in sites]
    equal(order, sorted(order), "order of the sites")
    check_leaks(report)
    report.update(rows=sites, sites=places(sites))
    for site in report["sites"]:
        equal(site["allocs"] - site["frees"], site["blocks"], f"allocs - frees of {site}")
        assert site["first_ns"] <= site["oldest_live_ns"] <= site["newest_live_ns"] <= \
            site["last_ns"] <= report["run"]["duration_ns"], site
        for frame in site["stack"]:
            assert set(frame) == {"pc", "function", "file", "line", "module", "offset",
                                  "inlined"}, frame
    return report


def environment(more):
    os.makedirs(CONFIG_HOME, exist_ok=True)
    open(CONFIG_HOME + "/memtrace.conf", "a").close()
    return {**os.environ, "XDG_CONFIG_HOME": CONFIG_HOME, **(more or {})}


class Trace:
    """A memtrace that is at work."""
    number = 0

    def __init__(self, arguments, json_report=True, env=None, stdin=subprocess.DEVNULL, **options):
        Trace.number += 1
        self.files = [os.path.abspath(f"{stream}.{Trace.number}") for stream in ("out", "err")]
        self.json_file = os.path.abspath(f"json.{Trace.number}") if json_report else None
        formats = ["--format", "text", "--format", "json:" + self.json_file] if json_report else []
        engine = engine_option(arguments)
        self.engine = engine[1] if engine else None
        with contextlib.suppress(OSError, TypeError):
            os.remove(self.json_file)       # of an earlier run
        with open(self.files[0], "wb") as out, open(self.files[1], "wb") as err:
            self.process = subprocess.Popen([MEMTRACE, *engine, *leak_check_option(), *formats,
                                             *arguments], stdin=stdin,
                                            stdout=options.pop("stdout", out),
                                            stderr=options.pop("stderr", err),
                                            env=environment(env), **options)
        CHILDREN.append(self.process)

    def tracer(self):
        """The id of the process that traces; process.pid is the one that waits for it."""
        pid = self.process.pid
        return int(until(lambda: read(f"/proc/{pid}/task/{pid}/children"), "the tracer").split()[0])

    def stderr(self):
        return read(self.files[1], "rb").decode("utf-8", "replace")

    def until(self, condition, what):
        """Waits for something that comes while memtrace is still there."""
        def seen():
            ended = self.process.poll() is not None
            value = condition()
            assert value or not ended, f"memtrace ended before: {what}\n{self.stderr()}"
            return value
        return until(seen, what)

    def send(self, line):
        """To a command with an input of its own."""
        send_line(self.process, line)

    def wait_attached(self, pid):
        self.until(lambda: re.search(rf"pid {pid}\b.*paused", self.stderr()), f"attached to {pid}")
        return self

    def stdout(self):
        return read(self.files[0], "rb").decode("utf-8", "replace")

    def wait(self, limit_s=TEST_LIMIT_S):
        status = self.process.wait(limit_s)
        return Report(status, self.stdout(), self.stderr(), self.json_file,
                      self.engine)

    def stop(self, with_signal=signal.SIGINT):
        """Ends a trace of running processes: always with status 0 and a full report."""
        start = time.monotonic()
        self.process.send_signal(with_signal)
        report = self.wait()
        report.took_s = time.monotonic() - start
        equal(report.status, 0, f"exit status of memtrace\n{report.stderr}\nstatus")
        return report


def attach(pid, *options, **more):
    return Trace(["-p", str(pid), *options], **more).wait_attached(pid)


def launch(*command, options=(), **more):
    return Trace([*options, "--", *command], **more).wait()


def trace_until(word, target, *options, **more):
    """Traces a victim from where it waits ready until it says so: (report, its line)."""
    trace = attach(target.pid, *options, **more)
    target.go()
    line = target.expect(word)
    return trace.stop(), line


def trace_at_work(target, *options, **more):
    """The same until it has told the truth: (report, truth)."""
    report, line = trace_until("truth", target, *options, **more)
    return report, truth_in(line)


def trace_attached(*command, options=(), env=None):
    """The whole life of a victim that is traced while it works: (report, truth)."""
    target = Target(*command, env=env)
    target.expect("ready")
    with unharmed(target.pid):
        report, truth = trace_at_work(target, *options)
    target.finish()
    return report, truth


def trace_launched(*command, options=(), env=None):
    """The same for one that memtrace starts: (report, truth).  The environment is set by env,
    so that what is preloaded is not preloaded into memtrace."""
    settings = [f"{name}={value}" for name, value in (env or {}).items()]
    report = launch(*(["env", *settings] if settings else []), *command, options=options)
    equal(report.status, 0, f"exit status\n{report.stdout}{report.stderr}\nstatus")
    assert "correct\n" in report.stdout, report.stdout
    return report, truth_in(report.stdout)


def both(test):
    """Two tests out of one that takes a way to trace: test_x(trace)."""
    module = sys.modules[test.__module__]
    for word, trace in (("attached", trace_attached), ("launched", trace_launched)):
        def one(trace=trace):
            test(trace)
        one.__name__ = f"{test.__name__}_{word}"
        one.__dict__.update(test.__dict__)
        setattr(module, one.__name__, one)
    return None


TRUTHS = {"allocs": "allocs", "frees": "frees", "bytes": "bytes_allocated",
          "live_blocks": "live_blocks", "live_bytes": "live_bytes",
          "failed": "failed_allocs", "old_frees": "unknown_frees"}


def exact(report, truth, runtime=(), but=()):
    """memtrace's figures are the victim's.  `runtime` are sites whose blocks the C or C++
    runtime allocated for itself and never freed; `but` are figures not to compare."""
    heap = dict(report.heap)
    for site in runtime:
        equal(site["frees"], 0, f"frees of {site}")
        for key, value in (("allocs", site["allocs"]), ("bytes_allocated", site["bytes"]),
                           ("live_blocks", site["blocks"]), ("live_bytes", site["bytes"])):
            heap[key] -= value
    found = {key: heap[TRUTHS[key]] for key in truth if key in TRUTHS and key not in but}
    expected = {key: truth[key] for key in found}
    equal(found, expected, f"figures (sites: {tops(report)})")


def sites_in(report, *modules):
    """Sites whose allocating code lies in a file of such a name."""
    return [site for site in report.sites if site["stack"] and
            os.path.basename(site["stack"][0]["module"] or "").startswith(modules)]


def sites_of(report, *names):
    """Sites whose allocating function has a name that begins so."""
    return [site for site in report.sites if (functions(site) or [None])[0] and
            functions(site)[0].startswith(names)]


# Running a case

def end_children():
    """The tracer goes first: it gives its targets back."""
    for process in reversed(CHILDREN):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
        if process.poll() is None:
            process.kill()
            process.send_signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
    CHILDREN.clear()


def on_alarm(*_):
    raise TimeoutError(f"the test took longer than {TEST_LIMIT_S} s")


def run_test(test):
    """None if it passed, else "# SKIP reason" or the lines of the failure."""
    signal.alarm(TEST_LIMIT_S)
    try:
        test()
    except Skip as reason:
        return f"# SKIP {reason}"
    except BaseException as fault:
        place = [f"{os.path.basename(f.filename)}:{f.lineno}"
                 for f in traceback.extract_tb(fault.__traceback__)[1:]]
        return f"{' > '.join(place)}: {type(fault).__name__}: {fault}".splitlines()
    finally:
        signal.alarm(0)
        end_children()


def plan(module):
    """(test, engine) for all that is to run: what has no engine, then the engines in turn."""
    tests = [item for key, item in list(vars(module).items()) if key.startswith("test_") and item]
    every = getattr(module, "ENGINES", ENGINES_KNOWN)
    return [(test, chosen) for chosen in ("auto", *engines_here()) for test in tests
            if chosen in getattr(test, "engines", every)]


def main(name):
    global CASE, ENGINE, LEAK_CHECK, WRONG_FREES
    CASE = f"{HERE}/{name}"
    os.makedirs(f"{BUILD}/e2e/{name}", exist_ok=True)
    os.chdir(f"{BUILD}/e2e/{name}")
    signal.signal(signal.SIGALRM, on_alarm)
    # As on a terminal, also where the tests run under nohup or behind a script.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    spec = importlib.util.spec_from_file_location("test", CASE + "/test.py")
    sys.modules["test"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    WRONG_FREES = getattr(module, "WRONG_FREES", False)
    LEAK_CHECK = getattr(module, "LEAK_CHECK", True)
    failed = 0
    tests = plan(module)
    for number, (test, ENGINE) in enumerate(tests, 1):
        start = time.monotonic()
        result = run_test(test)
        took = f"({time.monotonic() - start:.1f} s)"
        title = test.__name__.removeprefix("test_")
        title += "" if ENGINE == "auto" else f" [{ENGINE}]"
        if isinstance(result, list):
            failed += 1
            print(f"not ok {number} - {title} {took}", *("# " + line for line in result), sep="\n")
        else:
            print(f"ok {number} - {title} {result or took}", flush=True)
    if not tests:
        print(f"ok 1 - {name} # SKIP not on the engine {', '.join(engines_here())}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.modules["harness"] = sys.modules["__main__"]
    sys.path.insert(0, COMMON)
    sys.exit(main(sys.argv[1]))
