# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of blocks: at the end of a process, when it is let go, and where that cannot be told."""
from harness import *


def marked(name):
    """{line: kind} of a source, as its comments say."""
    found = {}
    for number, line in enumerate(read(source(name)).splitlines(), 1):
        if mark := re.search(r"/\* [^:*]+: (definite|indirect|possible|reachable) \*/", line):
            found[number] = mark.group(1)
    return found


def check_kinds(report, name, but=()):
    """The innermost frame of each row is on a line that says its kind."""
    found = {}
    for row in report.json["rows"]:
        frame = row["stack"][0]
        if os.path.basename(frame["file"] or "") == name:
            found.setdefault(frame["line"], set()).add(row["kind"])
    wrong = {line: (found.get(line), kind) for line, kind in marked(name).items()
             if found.get(line) != {kind} and kind not in but}
    equal(wrong, {}, "kinds by line")


def check_list(report, name):
    """The first of them is lost by itself, with it all the others."""
    line = line_of(name, "/* list */")
    rows = {row["kind"]: row for row in report.json["rows"] if row["stack"][0]["line"] == line}
    equal({kind: row["blocks"] for kind, row in rows.items()}, {"definite": 1, "indirect": 999}, "list")
    equal(rows["definite"]["indirect_blocks"], 999, "what the first one leads to")


def test_at_the_end():
    report = launch(build("kinds.c", "-pthread"))
    equal((report.status, report.json["verdict"]), (0, "leak"), "end")
    check_kinds(report, "kinds.c")
    check_list(report, "kinds.c")
    scan = report.json["scan"]
    equal((scan["heap_walked"], scan["walk_stopped"], scan["unjudged_blocks"], scan["threads"]),
          (True, None, 0, 2), "the heap")
    before = report.json["leak_summary"]["before_attach"]
    equal([before[kind]["blocks"] for kind in ("definite", "indirect", "possible")], [0] * 3,
          "lost by nobody")


def attached(*options):
    target = Target(build("kinds.c", "-pthread"), "waits")
    target.expect("ready")
    with unharmed(target.pid):
        trace = attach(target.pid, *options)
        target.go()
        target.expect("done")
        report = trace.stop()
    target.finish()
    return report


def test_when_let_go():
    report = attached()
    check_kinds(report, "kinds.c")
    check_list(report, "kinds.c")
    scan = report.json["scan"]
    equal((scan["heap_walked"], scan["unjudged_blocks"], scan["threads"]), (True, 0, 2), "the heap")
    assert 0 < scan["pause_ns"] <= report.run["detach_pause_ns"], report.run


def test_from_before_the_attach():
    target = Target(build("kinds.c", "-pthread"), "waits")
    target.expect("ready")
    target.go()
    target.expect("done")
    with unharmed(target.pid):
        report = attach(target.pid).stop()
    equal((report.json["verdict"], report.heap["allocs"]), ("leak", 0), "a leak from before")
    before = report.json["leak_summary"]["before_attach"]
    # Of each kind the marked ones, the list, and the process's own that are reachable.
    lines = list(marked("kinds.c").values())
    equal({kind: before[kind]["blocks"] for kind in ("definite", "indirect", "possible")},
          {"definite": lines.count("definite") + 1, "indirect": lines.count("indirect") + 999,
           "possible": lines.count("possible")}, "kinds")
    assert before["reachable"]["blocks"] >= lines.count("reachable"), before
    assert re.match(r"LEAK: kinds \(pid \d+\) has lost blocks, none of them in this trace\.\n +Nothing "
                    r"points to them any more\. .*Lost before: ", report.stdout), report.stdout
    target.finish()


def test_options():
    binary = build("kinds.c", "-pthread")
    text = launch(binary, options=["--show-leak-kinds=all", "-n", "0"]).stderr
    for words in ("LOST", "INDIRECTLY LOST", "POSSIBLY LOST", "STILL REACHABLE"):
        assert re.search(rf"^\d+\. {words} ", text, re.M), f"no {words} in\n{text}"
    text = launch(binary, options=["--show-leak-kinds=none"]).stderr
    assert "definitely lost:" in text and not re.search(r"^\d+\. ", text, re.M), text
    for option in ("--leak-check=some", "--show-leak-kinds=lost", "--leak-check-heuristics=a,"):
        report = Trace([option, "--", binary], json_report=False).wait()
        equal(report.status, 125, "exit status")
        assert "is needed" in report.stderr, report.stderr


def keepers(report, name):
    """{line: keeper} of rows whose blocks were allocated there."""
    return {row["stack"][0]["line"]: row["keeper"] for row in report.json["rows"]
            if os.path.basename(row["stack"][0]["file"] or "") == name and row["keeper"]}


def test_who_keeps_them():
    name = "kinds.c"
    report = attached()
    found = keepers(report, name)
    variables = {"1": ("root", 1), "2A": ("chain", 1), "2B": ("chain", 2), "5": ("inside_root", 1),
                 "6": ("root", 2), "7A": ("chain", 2), "7B": ("chain", 3)}
    for mark, (variable, blocks) in variables.items():
        keeper = found[line_of(name, f"/* {mark}: ")]
        declared = line_of(name, f"*volatile {variable}") if variable != "chain" else line_of(name, "volatile root")
        equal((keeper["root"], keeper["variable"]["name"], keeper["variable"]["offset"], keeper["blocks"],
               len(keeper["chain"]), os.path.basename(keeper["variable"]["file"]), keeper["variable"]["line"]),
              ("global", variable, 0, blocks, blocks, name, declared), mark)
    first, second = found[line_of(name, "/* 2B: ")]["chain"]
    sites = report.json["sites"]
    equal(sites[first["site"]]["stack"][0]["line"], line_of(name, "/* 2A: "), "what keeps 2B")
    equal(second["pointer"], first["address"], "where the pointer to 2B lies")
    stack = found[line_of(name, "/* stack: ")]
    assert stack["root"] in ("stack", "register") and stack["tid"], stack
    equal(found[line_of(name, "/* mapped: ")]["root"], "memory", "in a mapping")
    lost = [row for row in report.json["rows"] if row["kind"] in ("definite", "indirect", "unfreed")]
    equal([row["keeper"] for row in lost], [None] * len(lost), "what nothing keeps")


def test_keepers_of_long_lists():
    report = launch(build("kept.c"), options=["--show-leak-kinds=all"])
    keeper = keepers(report, "kept.c")[line_of("kept.c", "/* last */")]
    equal((keeper["blocks"], len(keeper["chain"])), (100001, 8), "on the way")
    equal((keeper["variable"]["name"], keeper["variable"]["offset"]), ("cache", 24), "variable")
    line = line_of("kept.c", "cache;")
    assert re.search(rf"\n      kept by  cache\+0x18 \(kept.c:{line}\) in kept\n"
                     r"           ->  0x[0-9a-f]+\+0x8 +16 bytes of 1\n"
                     r"           ->  0x[0-9a-f]+\+0x8 +16 bytes of 1\n"
                     r"           ->  0x[0-9a-f]+\+0x8 +16 bytes of 1\n"
                     r"           ->  \.\.\. 99,997 more blocks\n"
                     r"           ->  0x[0-9a-f]+ +32 bytes of \d\n", report.stderr), report.stderr


def test_what_older_blocks_are():
    target = Target(build("older.cc"))
    target.expect("ready")
    with unharmed(target.pid):
        report = attach(target.pid).stop()
    target.finish()
    groups = {(group["kind"], group["content"], group["size"]): group for group in report.json["before_attach"]}
    lost, kept = groups["definite", "object", 72], groups["reachable", "object", 72]
    equal((lost["blocks"], lost["bytes"], kept["blocks"]), (300, 21600, 300), "circles")
    for group in lost, kept:
        equal((group["type"]["at"], group["type"]["variable"]["name"], group["type"]["variable"]["offset"]),
              (0, "vtable for Circle", 16), "their class")
    equal((lost["keeper"], kept["keeper"]["variable"]["name"], kept["keeper"]["blocks"]),
          (None, "shop::shapes", 2), "what keeps them")
    text = groups["definite", "text", 104]
    equal((text["blocks"], bytes.fromhex(text["begins_with"])[:29]), (300, b"this text is lost, is it not?"),
          "texts")
    device = groups["reachable", "object", 216]
    equal((device["type"]["variable"]["name"], os.path.basename(device["type"]["variable"]["file"]),
           device["type"]["variable"]["line"], device["keeper"]["variable"]["name"]),
          ("disk_operations", "older.cc", line_of("older.cc", "disk_operations = {"), "shop::disk"), "a device")
    sums = {}
    for group in report.json["before_attach"]:
        blocks, size = sums.get(group["kind"], (0, 0))
        sums[group["kind"]] = blocks + group["blocks"], size + group["bytes"]
    before = report.json["leak_summary"]["before_attach"]
    for kind in before:
        equal((before[kind]["blocks"], before[kind]["bytes"]), sums.get(kind, (0, 0)), f"sums of {kind}")
    assert re.search(r"\nFROM BEFORE THE ATTACH: [\d,]+ bytes in [\d,]+ blocks; nobody saw where they were allocated\n"
                     r" +31,200 bytes in +300 blocks of 104 +LOST +\"this text is lost, is it not\?\"\n"
                     r" +21,600 bytes in +300 blocks of 72 +LOST +Circle\n", report.stdout), report.stdout
    assert re.search(r" blocks of 72 +reachable  Circle\n +kept by  shop::shapes(\+0x\w+)? \(older.cc:\d+\) in older\n",
                     report.stdout), report.stdout


def test_what_the_loader_keeps():
    """Its index of modules, by a pointer to the inside; python3 loads some."""
    report = launch("python3", "-c", "import _ctypes, _json, _ssl", options=["--show-leak-kinds=all"])
    sums = report.json["leak_summary"]["seen"]
    equal({kind: sums[kind]["blocks"] for kind in ("definite", "possible")},
          {"definite": 0, "possible": 0}, "lost by nobody")


def exit_status(*words):
    report = Trace(list(words), json_report=False).wait()
    return report.status, report.stderr


def test_errors_by_kinds():
    """Each place is one, and of those that are no error the status stays."""
    binary = build("kinds.c", "-pthread")
    summary = launch(binary).json["error_summary"]
    leaks = len([kind for kind in marked("kinds.c").values() if kind in ("definite", "possible")]) + 1
    equal((summary["errors"], summary["contexts"], summary["leaks"]), (leaks,) * 3, "errors")
    status, text = exit_status("--error-exitcode=9", "--", binary)
    equal(status, 9, "status")
    assert f"\nERROR SUMMARY: {leaks} errors from {leaks} contexts (suppressed: 0 from 0)\n" in text, text
    status, text = exit_status("--error-exitcode=9", "--errors-for-leak-kinds=none", "--", binary)
    assert status == 0 and "\nERROR SUMMARY: 0 errors" in text, (status, text)
    equal(exit_status("--error-exitcode=9", "--errors-for-leak-kinds=reachable", "--", binary)[0], 9,
          "status with what is reachable")
    equal(exit_status("--error-exitcode=9", "--leak-check=no", "--", binary)[0], 0,
          "status where nobody looks")
    equal(exit_status("--", binary)[0], 0, "status without the option")


def test_errors_of_a_child():
    binary = build("kinds.c", "-pthread")
    command = ["--error-exitcode=9", "--", "sh", "-c", f"{binary}; exit 3"]
    equal(exit_status(*command)[0], 3, "status of a shell that leaks nothing")
    equal(exit_status("-f", *command)[0], 9, "status where its child does")


def test_errors_of_a_process():
    target = Target(build("kinds.c", "-pthread"), "waits")
    target.expect("ready")
    target.go()
    target.expect("done")
    for options, status in (["--error-exitcode=9"], 9), ([], 0):
        with unharmed(target.pid):
            trace = attach(target.pid, *options)
            trace.process.send_signal(signal.SIGINT)
            equal(trace.wait().status, status, "status")
    target.finish()


def test_errors_not_seen():
    """Never a silent pass."""
    status, text = exit_status("-q", "--error-exitcode=9", "--", "sh", "-c", "kill -KILL $$")
    equal(status, 125, "status")
    assert re.search(r"^memtrace: pid \d+: there may be errors that were not seen: it was killed, and its "
                     r"memory with it$", text, re.M), text
    equal(exit_status("--", "sh", "-c", "kill -KILL $$")[0], 128 + 9, "status without the option")


def test_errors_that_cannot_be_told():
    for words in (["--sample", "1M", "true"], ["--resolve", "x"]):
        status, text = exit_status("--error-exitcode=9", *words)
        assert status == 125 and f"--error-exitcode and {words[0]} do not go together: " in text, text


test_errors_that_cannot_be_told.engines = ("auto",)


def test_killed():
    """There is no memory to look at any more."""
    target = Target(build("kinds.c", "-pthread"), "waits")
    target.expect("ready")
    trace = attach(target.pid)
    target.go()
    target.expect("done")
    os.kill(target.pid, signal.SIGKILL)
    report = trace.wait()
    equal((report.json["verdict"], report.json["scan"]["done"]), ("unfreed", False), "verdict")
    equal({row["kind"] for row in report.json["rows"]}, {"unfreed"}, "kinds")
    assert "Nobody has looked for pointers to them: " in report.stdout, report.stdout
