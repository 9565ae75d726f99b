# SPDX-License-Identifier: GPL-2.0-or-later
"""Double frees and frees of no block: told with their stacks, and never where there are none."""
from harness import *

LEAK_CHECK = False

WRONG_FREES = True
KEPT = "--keep-stacktraces=alloc-and-free"
NOTICED = {"exit status": 134, "exit": {"signal": 6}}    # what glibc aborts for


def no_core():
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def wrong(way, *options, env=None, name="wrong.c", ends=None):
    """The report of a program that does that."""
    program = build(name, "-pthread")
    settings = [f"{key}={value}" for key, value in (env or {}).items()]
    report = launch(*(["env", *settings] if settings else []), program, way, options=options,
                    preexec_fn=no_core)
    equal(report.status, ends["exit status"] if ends else 0, f"status\n{report.stderr}")
    equal(report.target["exit"], ends["exit"] if ends else {"code": 0}, "end")
    return report


def lines(call, name="wrong.c"):
    return [frame["line"] for frame in call["stack"]
            if os.path.basename(frame["file"] or "") == name]


def only(report):
    equal(len(report.json["errors"]), 1, f"errors {report.json['errors']}")
    return report.json["errors"][0]


def check(report, mark, again, allocation=None, kept=False, count=1, same_thread=True,
          name="wrong.c", functions=("free", "free")):
    error = only(report)
    equal((error["kind"], error["count"]), ("double-free", count), "error")
    for call, mark in ((error["first_free"], mark), (error["free"], again)):
        equal(lines(call, name)[:1], [line_of(name, mark)], f"line of {mark} in {call}")
    equal((error["first_free"]["function"], error["free"]["function"]), functions, "functions")
    if allocation:
        equal(lines(error["allocation"], name)[0], line_of(name, allocation), "allocation")
    equal(len(error["free"]["stack"]) > 1, kept, f"whole stack: {error['free']['stack']}")
    equal(error["same_thread"], same_thread, "same thread")
    assert error["free"]["time_ns"] >= error["first_free"]["time_ns"], error
    equal(report.json["error_summary"],
          {"errors": count, "contexts": 1, "leaks": 0, "frees_judged": True, "lost": 0,
           "suppressed": 0, "suppressed_contexts": 0}, "summary")
    return error


def test_twice():
    report = wrong("twice", ends=NOTICED)
    error = check(report, "DROP", "AGAIN", "BLOCK")
    equal((error["size"], error["block"]), (24, None), "block")
    equal(report.json["verdict"], "unfreed", "verdict")     # of main()'s first block
    text = report.stderr
    assert re.match(r"(free\(\).*\n)?DOUBLE FREE: wrong \(pid \d+\) freed what was not allocated: 1 "
                    r"double free, at 1 place; see below\.\nUNFREED: ", text), text
    assert f"DOUBLE FREE of a block of 24 bytes at {error['address']}\n   freed again " in text, text
    assert "\nERROR SUMMARY: 1 errors from 1 contexts (suppressed: 0 from 0)\n" in text, text
    assert "      Of frees the caller alone is kept: --keep-stacktraces=alloc-and-free" in text, text


def test_twice_with_stacks():
    report = wrong("twice", KEPT, ends=NOTICED)
    error = check(report, "DROP", "AGAIN", "BLOCK", kept=True)
    equal(lines(error["free"])[1], line_of("wrong.c", "SECOND"), "caller of the caller")
    assert "caller alone" not in report.stderr, report.stderr


def test_twice_with_a_log():
    for options in ((), (KEPT,)):
        report = wrong("twice", "--log-file", "log", *options, ends=NOTICED)
        check(report, "DROP", "AGAIN", "BLOCK", kept=bool(options))


def test_threads():
    check(wrong("threads"), "DROP", "AGAIN", same_thread=False)
    check(wrong("threads", KEPT), "DROP", "AGAIN", same_thread=False, kept=True)


def test_unnoticed():
    check(wrong("unnoticed"), "DROP", "AGAIN")


def test_interior():
    report = wrong("interior", ends=NOTICED)
    error = only(report)
    equal((error["kind"], error["size"], error["first_free"]), ("invalid-free", None, None), "error")
    equal(int(error["address"], 16) - int(error["block"]["address"], 16), 16, "place in the block")
    equal(error["block"]["size"], 100, "block")
    equal(lines(error["free"])[0], line_of("wrong.c", "DROP"), "free")
    equal(lines(error["allocation"])[0], line_of("wrong.c", "AROUND"), "allocation")
    assert "   it is 16 bytes inside a block of 100 bytes, allocated here\n" in report.stderr
    assert "INVALID FREE: wrong (pid " in report.stderr, report.stderr


def test_stack():
    report = wrong("stack", ends=NOTICED)
    error = only(report)
    equal((error["kind"], error["block"], error["allocation"]), ("invalid-free", None, None), "error")
    equal(lines(error["free"])[0], line_of("wrong.c", "DROP"), "free")


def test_resized():
    check(wrong("resized"), "DROP", "RESIZED", same_thread=None, functions=("free", "realloc"))
    check(wrong("moved", ends=NOTICED), "MOVED", "DROP", same_thread=None, functions=("realloc", "free"))


def test_delete():
    report = wrong("", KEPT, name="delete.cc", ends=NOTICED)
    error = check(report, "DROP", "DROP", "OBJECT", kept=True, name="delete.cc",
                  functions=("free", "free"))        # which is jumped to
    equal(error["allocation"]["function"], "operator new", "allocation")


def test_jemalloc():
    report = wrong("many", env={"LD_PRELOAD": "libjemalloc.so.2"})
    equal(sorted((e["kind"], e["count"], lines(e["free"])[0]) for e in report.json["errors"]),
          sorted([("double-free", 20, line_of("wrong.c", "AGAIN")),
                  ("double-free", 10, line_of("wrong.c", "DROP"))]), "errors")
    assert ": 30 double frees, at 2 places; see below.\n" in report.stderr, report.stderr


def test_delete_on_jemalloc():
    """operator delete is jemalloc's, and calls free inside."""
    report = wrong("", name="delete.cc", env={"LD_PRELOAD": "libjemalloc.so.2"})
    check(report, "DROP", "DROP", "OBJECT", name="delete.cc",
          functions=("operator delete", "operator delete"))


def test_tcmalloc_and_mimalloc():
    for library in ("libtcmalloc_minimal.so.4", "libmimalloc.so.2.0"):
        report = wrong("clean", env={"LD_PRELOAD": library})
        equal((report.json["errors"], report.heap["missed_frees"]), ([], 0), library)
        assert engine_of(report, "malloc", library), "the library is not there"
        assert report.json["error_summary"], library


def attached(way, *options, env=None):
    target = Target(build("wrong.c", "-pthread"), way, env=env)
    target.expect("ready")
    with unharmed(target.pid):
        report, _ = trace_at_work(target, *options)
    target.finish()
    return report


def test_attached():
    check(attached("late"), "DROP", "AGAIN", same_thread=False)
    check(attached("late", KEPT), "DROP", "AGAIN", same_thread=False, kept=True)


def test_block_from_before():
    """Its first free is seen, but not its allocation."""
    error = check(attached("inherited-late"), "DROP", "AGAIN", same_thread=False)
    equal((error["size"], error["allocation"]), (None, None), "allocation")


def test_soon_after_the_attach():
    """A call that was under way might have had the block in between."""
    equal(attached("inherited").json["errors"], [], "errors")


def test_clean():
    for options in ((), (KEPT,)):
        for report in (wrong("clean", *options), attached("clean", *options)):
            equal(report.json["errors"], [], "errors")
            equal(report.json["error_summary"]["errors"], 0, "errors")
            assert "FREE: " not in report.stderr + report.stdout
            assert "\nERROR SUMMARY: 0 errors from 0 contexts (suppressed: 0 from 0)\n" in \
                report.stderr + report.stdout


def test_static():
    """glibc's own frees are the program's: their names tell."""
    program = build("wrong.c", "-static", "-pthread", out="static")
    report = launch(program, "clean")
    equal(report.json["errors"], [], "errors")
    report = launch(program, "threads")
    check(report, "DROP", "AGAIN", same_thread=False)


def test_pools():
    program = build("pool.c")
    for options in ((), ("--alloc", "pool_get", "--free", "pool_put")):
        report = launch(program, options=options)
        equal(report.json["errors"], [], f"errors with {options}")
        equal(report.json["error_summary"]["errors"], 0, "summary")


def test_children():
    """What a fork child inherits is not known; what it frees twice is."""
    remove("followed*")
    trace = Trace(["-f", "-o", "followed", "--format", "json", "--", build("wrong.c", "-pthread"), "child"],
                  json_report=False)
    equal(trace.wait().status, 0, "status")
    reports = [json_in(read(path, "rb")) for path in sorted(glob.glob("followed.*"))]
    equal(len(reports), 2, "reports")
    parent, child = sorted(reports, key=lambda report: len(report["errors"]))
    equal(parent["errors"], [], "errors of the parent")
    equal([(e["kind"], e["count"], lines(e["first_free"]), lines(e["free"])) for e in child["errors"]],
          [("double-free", 1, [line_of("wrong.c", "DROP")], [line_of("wrong.c", "AGAIN")])],
          "errors of the child")


def test_samples_tell_nothing():
    report = launch(build("wrong.c", "-pthread"), "threads", options=("--sample", "1K"))
    equal((report.json["errors"], report.json["error_summary"]), ([], None), "errors")
    assert "ERROR SUMMARY" not in report.stderr, report.stderr


test_samples_tell_nothing.engines = ("jump",)
