# SPDX-License-Identifier: GPL-2.0-or-later
"""
--resolve: a report without names gets those of the debug files that are here, by build id alone;
one that lacks nothing comes out as it was; and what is no report is an error.
"""
import resource
import shutil

from harness import *

ENGINES = ("auto",)


def resolve(path, *options, status=0):
    done = subprocess.run([MEMTRACE, *options, "--resolve", path], capture_output=True,
                          timeout=WAIT_S, stdin=subprocess.DEVNULL, env=environment(None))
    report = Report(done.returncode, done.stdout.decode(), done.stderr.decode(), None)
    equal(report.status, status, f"exit status\n{report.stderr}\nstatus")
    return report


def finished(path, *options):
    """The report as a document, and as text."""
    resolve(path, "--show-leak-kinds=all", *options, "--format", "json:finished.json", "--format", "text:finished.txt")
    return json_in(read("finished.json", "rb")), read("finished.txt")


def empty(*folders):
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    return [os.path.abspath(folder) for folder in folders]


def build_id(program):
    return re.search(r"Build ID: (\w+)", run("readelf", "-n", program))[1]


def trace_to(name, program):
    """A report as JSON and as text, of one run."""
    target = Target(program)
    target.expect("ready")
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid), "--format", f"json:{name}.json", "--format",
                       f"text:{name}.txt"], json_report=False).wait_attached(target.pid)
        target.go()
        target.truth()
        trace.stop()
    target.finish()
    return os.path.abspath(name + ".json")


class Fixture:
    """One program, whole and stripped, of the same build; the report of the stripped one, which
    is at another machine's path that is gone here."""

    def __init__(self):
        self.there, self.here = empty("there", "here")
        self.whole = build("leaks.cc", out="whole")
        self.program = self.there + "/service"
        run("strip", "-o", self.program, self.whole)
        self.debug = self.here + "/service.debug"
        run("objcopy", "--only-keep-debug", self.whole, self.debug)
        self.report = trace_to("stripped", self.program)
        os.remove(self.program)
        self.id = build_id(self.whole)



def own_frames(site):
    return [(f["function"], os.path.basename(f["file"] or ""), f["line"], f["inlined"])
            for f in site["stack"] if os.path.basename(f["module"] or "") in ("service", "whole")]


def sites_by_size(report):
    return {site["bytes"]: (site["function"], own_frames(site)) for site in report["sites"]}


def expected():
    """What the report of the program with its debug information says."""
    found = sites_by_size(json_in(read(trace_to("whole", os.path.abspath("whole")), "rb")))
    at = {mark: line_of("leaks.cc", mark) for mark in ("PLAIN", "INLINED", "NEW")}
    equal(found[123][1][0], ("plain()", "leaks.cc", at["PLAIN"], False), "plain frame")
    equal(found[300][1][0], ("inlined", "leaks.cc", at["INLINED"], True), "inlined frame")
    equal((found[200][0], found[200][1][0][2]), ("operator new", at["NEW"]), "new")
    return found


def check_nameless(report):
    """Of the program's own frames, that is; each of its three places has some."""
    found = sites_by_size(report)
    equal({size: {frame[0] for frame in frames} for size, (_, frames) in found.items() if frames},
          dict.fromkeys((123, 200, 300), {None}), "names")


def test_nothing_is_named_without_files():
    fixture = Fixture()
    check_nameless(json_in(read(fixture.report, "rb")))
    report = resolve(fixture.report, "--format", "json:same.json")
    equal(read("same.json"), read(fixture.report), "report for which nothing was found")
    lines = [line for line in report.stderr.splitlines() if fixture.program in line]
    equal(len(lines), 1, f"lines of the module in {report.stderr}")
    assert f"no file with its build id {fixture.id} is found here" in lines[0], lines
    assert "--debug-dir" in lines[0], lines


def test_debug_dir():
    """By build id, by path, by name; a separate debug file, or all of the program."""
    fixture = Fixture()
    wanted = expected()
    debug = shutil.copy(fixture.debug, "kept.debug")
    for file, name in ((debug, "/service.debug"), (debug, fixture.program + ".debug"),
                       (debug, f"/.build-id/{fixture.id[:2]}/{fixture.id[2:]}.debug"),
                       (fixture.whole, f"/.build-id/{fixture.id[:2]}/{fixture.id[2:]}"),
                       (fixture.whole, "/service"), (fixture.whole, fixture.program)):
        empty("here")
        os.makedirs(os.path.dirname(fixture.here + name), exist_ok=True)
        shutil.copy(file, fixture.here + name)
        document, text = finished(fixture.report, "--debug-dir", fixture.here)
        equal(sites_by_size(document), wanted, f"names from {name}")
        assert f"leaks.cc:{line_of('leaks.cc', 'PLAIN')}" in text, text
        assert "inlined [inlined]" in text and "at operator new(200)" in text, text
        assert "service has no debug info" not in text, text


def test_the_file_itself():
    """It has come to its path meanwhile."""
    fixture = Fixture()
    shutil.copy(fixture.whole, fixture.program)
    document, _ = finished(fixture.report)
    equal(sites_by_size(document), expected(), "names")


def test_debuginfod():
    """Asked by build id; nothing of the program is here."""
    fixture = Fixture()
    wanted = expected()
    served = empty("served", "cache")[0]
    os.chmod("cache", 0o777)        # whoever the symbolizer is
    os.makedirs(f"{served}/buildid/{fixture.id}")
    os.replace(fixture.debug, f"{served}/buildid/{fixture.id}/debuginfo")
    server = subprocess.Popen([PYTHON, "-u", "-m", "http.server", "--bind", "127.0.0.1", "-d",
                               served, "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    CHILDREN.append(server)
    port = re.search(r"port (\d+)", server.stdout.readline().decode())[1]
    settings = {"DEBUGINFOD_URLS": f"http://127.0.0.1:{port}",
                "DEBUGINFOD_CACHE_PATH": os.path.abspath("cache")}
    done = subprocess.run([MEMTRACE, "--format", "json:served.json", "--resolve", fixture.report],
                          capture_output=True, timeout=WAIT_S, stdin=subprocess.DEVNULL,
                          env=environment(settings))
    equal(done.returncode, 0, done.stderr)
    if "libdebuginfod" not in run("/sbin/ldconfig", "-p"):
        raise Skip("libdebuginfod is not installed")
    equal(sites_by_size(json_in(read("served.json", "rb"))), wanted, f"names\n{done.stderr}")


def test_another_build():
    """It is told of, and never used: neither at the path nor in the folders of debug files."""
    fixture = Fixture()
    other = build("leaks.cc", "-DOTHER", "-O2", "-Wl,--build-id=0x0123456789abcdef", out="other")
    shutil.copy(other, fixture.program)
    shutil.copy(other, fixture.here + "/service")
    os.remove(fixture.debug)
    folder = f"{fixture.here}/.build-id/{fixture.id[:2]}"
    os.makedirs(folder)
    shutil.copy(other, f"{folder}/{fixture.id[2:]}.debug")
    report = resolve(fixture.report, "--debug-dir", fixture.here, "--format", "json:same.json")
    equal(read("same.json"), read(fixture.report), "report")
    lines = [line for line in report.stderr.splitlines() if fixture.program in line]
    equal(len(lines), 1, f"lines of the module in {report.stderr}")
    assert f"the file here has another build id than {fixture.id}" in lines[0], lines


def test_without_a_build_id():
    fixture = Fixture()
    document = json.loads(read(fixture.report))
    for module in document["modules"]:
        if module["path"] == fixture.program:
            module["build_id"] = None
    with open("without.json", "w") as file:
        json.dump(document, file)
    shutil.copy(fixture.whole, fixture.program)
    report = resolve("without.json", "--format", "json:same.json")
    assert "service: without a build id no file can be known for it" in report.stderr, report.stderr
    check_nameless(json_in(read("same.json", "rb")))


def test_paths_that_are_no_files():
    """Whatever the report names as a module is not waited for."""
    fixture = Fixture()
    document = json.loads(read(fixture.report))
    os.mkfifo(fixture.there + "/fifo")
    for path in (fixture.there + "/fifo", "/dev/zero", "/", "/proc/self/mem", "x\x1b[2J"):
        text = json.dumps(document).replace(json.dumps(fixture.program), json.dumps(path))
        with open("odd.json", "w") as file:
            file.write(text)
        report = resolve("odd.json", "-o", "odd.txt")
        assert "\x1b" not in report.stderr + read("odd.txt"), report.stderr
        assert "no file with its build id" in report.stderr, report.stderr


def test_round_trip():
    """Where nothing is missing each format is that of the run itself."""
    report = launch(build("leaks.cc", out="whole"), json_report=False,
                    options=["--format", "json:a.json", "--format", "text:a.txt", "--format",
                             "folded:a.folded"])
    equal(report.status, 0, "exit status")
    resolve("a.json", "--format", "json:b.json", "--format", "text:b.txt", "--format",
            "folded:b.folded")
    for name in ("json", "txt", "folded"):
        equal(read(f"b.{name}"), read(f"a.{name}"), f"a.{name} from a.json")


def test_text_by_default():
    launch(build("leaks.cc", out="whole"), json_report=False,
           options=["--format", "json:a.json", "--format", "text:a.txt"])
    equal(resolve("a.json").stdout, read("a.txt"), "standard output")
    equal(len(re.findall(r"^\d+\. [A-Z]", resolve("a.json", "-n", "1").stdout, re.M)), 1, "places")


def test_its_own_file():
    """It may be replaced by what comes out."""
    launch(build("leaks.cc", out="whole"), json_report=False, options=["--format", "json:a.json"])
    before = read("a.json")
    resolve("a.json", "--format", "json:a.json")
    equal(read("a.json"), before, "report")


def test_several():
    """One document a line, a file each where there are names of files."""
    remove("many.*")
    launch("sh", "-c", '"$0"; "$0"; :', build("leaks.cc", out="whole"), json_report=False,
           options=["-f", "--format", "json:many.%p"])
    parts = [read(path) for path in sorted(glob.glob("many.*"))]
    equal([part.count("\n") for part in parts], [1, 1, 1], "lines of the shell's and the others'")
    with open("all.jsonl", "w") as file:
        file.write("".join(parts))
    equal(resolve("all.jsonl", "--format", "json").stdout, "".join(parts), "documents")
    remove("single.*")
    resolve("all.jsonl", "--format", "json:single")
    equal(sorted(read(path) for path in glob.glob("single.*")), sorted(parts), "files")


def test_second_interrupt():
    """A report that was written in haste, without any name, gets them afterwards."""
    target = Target(build("leaks.cc", out="whole"))
    target.expect("ready")
    trace = Trace(["-p", str(target.pid), "--format", "json:haste.json"],
                  json_report=False).wait_attached(target.pid)
    target.go()
    target.truth()
    for _ in range(2):
        trace.process.send_signal(signal.SIGINT)
    equal(trace.wait().status, 0, "exit status")
    target.finish()
    document, _ = finished("haste.json")
    equal(sites_by_size(document), expected(), "names")


# What is no report

def wrong(text, *words):
    with open("wrong.json", "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    report = resolve("wrong.json", status=125)
    equal(report.stdout, "", "standard output")
    (line,) = report.stderr.splitlines()
    for word in ("memtrace: wrong.json: ", *words):
        assert word in line, f"no {word!r} in {line!r}"
    assert len(line) < 500 and "\x1b" not in line, line


def good():
    launch(build("leaks.cc", out="whole"), json_report=False, options=["--format", "json:a.json"])
    return json.loads(read("a.json"))


def test_no_report():
    wrong("", "it is empty")
    wrong(" \n", "it is empty")
    wrong("no json", "no JSON, line 1")
    wrong("[]", "verdict: a string is needed")
    wrong("{}", "verdict: a string is needed")
    wrong("\x1b[2J", "no JSON")
    wrong('{"a\x1b[2J', "no JSON")
    wrong("[" * 10_000_000, "depth")
    wrong('{"a":' * 5_000_000, "depth")
    equal(resolve("/no/such/file", status=125).stderr,
          "memtrace: /no/such/file: No such file or directory\n", "message")
    resolve("/", status=125)


def test_memory():
    """A file that wants more than there is, is refused as such."""
    if SANITIZED:
        raise Skip("a sanitizer's shadow counts, too")
    with open("large.json", "w") as file:
        file.write("[" + "0," * 10_000_000 + "0]")
    done = subprocess.run([MEMTRACE, "--resolve", "large.json"], capture_output=True, timeout=WAIT_S,
                          stdin=subprocess.DEVNULL, env=environment(None),
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (2 ** 28,) * 2))
    equal((done.returncode, done.stderr),
          (125, b"memtrace: large.json: Cannot allocate memory\n"), "end")


def test_cut():
    good()
    text = read("a.json")
    for length in range(1, len(text) - 2, max(1, len(text) // 50)):
        wrong(text[:length], "no JSON, line")


def test_wrong_members():
    """Each member, taken away and of another type: an error that names it, or nothing lost."""
    document = good()
    nr = 0

    def visit(value, name):
        nonlocal nr
        items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))[:2]
        for key, member in items:
            if key in ("version", "errors", "indirect_bytes", "indirect_blocks", "kind", "to_ns",
                       "truncated", "exit"):
                continue
            for bad in ([], {}, -1, 1.5, 2 ** 62, "\x1b[2J", True, None):
                if type(bad) is type(member) or (bad is None and member is None):
                    continue
                value[key] = bad
                check(document, str(key) if isinstance(key, str) else name)
                nr += 1
            value[key] = member
            if isinstance(member, (dict, list)):
                visit(member, str(key))

    def check(changed, name):
        with open("changed.json", "w") as file:
            json.dump(changed, file)
        done = subprocess.run([MEMTRACE, "--resolve", "changed.json"], capture_output=True,
                              timeout=WAIT_S, stdin=subprocess.DEVNULL, env=environment(None))
        assert done.returncode in (0, 125), (name, done)
        assert b"\x1b" not in done.stdout + done.stderr, (name, done)
        if done.returncode:
            assert name.encode() in done.stderr or b"[" in done.stderr, (name, done.stderr)

    visit(document, "")
    assert nr > 300, nr


def test_hostile_strings_and_numbers():
    document = good()
    evil = "evil\x1b[2J\x9b\n\u202e" + "x" * 100_000
    document["target"]["name"] = document["target"]["exe"] = evil
    document["run"]["incomplete"], document["verdict"] = evil, "incomplete"
    document["run"]["duration_ns"] = 0
    for site in document["sites"]:
        site.update(function=evil, growing=True, bytes=0, blocks=0, lifetime_ns={
            "min": 2 ** 63 - 1, "avg": 2 ** 63 - 1, "max": 2 ** 63 - 1}, quarters=[
                {"end_ns": 2 ** 63 - 1, "bytes": 2 ** 63 - 1}] * 4)
        for frame in site["stack"]:
            frame.update(function=evil, file=evil, line=2 ** 32 - 1)
    with open("evil.json", "w") as file:
        json.dump(document, file)
    for format in ("text", "folded", "json"):
        out = resolve("evil.json", "--format", format, "-n", "0").stdout
        assert "evil" in out and not set("\x1b\x9b\u202e") & set(out), out[:1000]


def test_too_large_a_number():
    text = json.dumps(good())
    for number in ("1e999", "9" * 400, "18446744073709551616", "-0.5", "NaN"):
        wrong(re.sub(r'"allocs": \d+', f'"allocs": {number}', text, count=1), "wrong.json")


def test_options_that_do_not_go_with_it():
    for arguments, words in (
            (["a.json", "--", "true"], " finishes a report: it does not go together with true"),
            (["a.json", "-p", "1"], " finishes a report: it does not go together with -p"),
            (["a.json", "--log"], " and --log do not go together: a report is no log of all calls"),
            (["a.json", "--format", "mtrace:x"],
             " and --format mtrace do not go together: a report is no log of all calls")):
        report = Trace(["--resolve", *arguments], json_report=False).wait()
        equal((report.status, report.stderr), (125, f"memtrace: --resolve{words}\n"), "refusal")
    report = Trace(["--resolve"], json_report=False).wait()
    equal((report.status, report.stderr.splitlines()[1:]), (125, ["memtrace: try memtrace --help"]),
          "refusal")
