# SPDX-License-Identifier: GPL-2.0-or-later
"""
Several mallocs in one process: wrappers around the C library's, a program with one of its own, and
a second C library.  A block counts once, where the program asked for it.
"""
from harness import *


def is_own(site, name):
    return any(os.path.basename(frame["file"] or "") == name for frame in site["stack"])


def check(trace, program, *words, name, env=None, but=()):
    report, truth = trace(program, *words, env=env)
    runtime = [site for site in report.sites if not is_own(site, name)] + sites_of(report, "_dl_") + \
        sites_in(report, "ld-linux")        # thread vectors
    exact(report, truth, runtime, but=but if trace is trace_attached else ["old_frees", *but])
    return report


def wrapped(trace, *flags, out):
    wrapper = build_library("wrapper.c", *flags, out=f"lib{out}.so")
    # What is there already was allocated before "ready", and is freed or resized after it.
    report = check(trace, build("count.c", "-pthread"), "2", "300", name="count.c",
                   env={"LD_PRELOAD": wrapper})
    modules = {f["module"] for f in report.run["functions"] if f["name"] == "malloc"}
    equal({wrapper in modules, any("libc.so" in module for module in modules)}, {True}, "mallocs")
    return report, wrapper


@both
def test_wrapper(trace):
    wrapped(trace, out="wrapper")


@both
def test_wrapper_with_a_buffer(trace):
    wrapped(trace, "-DBOOTSTRAP", out="bootstrap")


@both
def test_wrapper_that_jumps(trace):
    report, wrapper = wrapped(trace, "-DTAIL", out="tail")
    code = run("objdump", "-d", "--no-show-raw-insn", wrapper)
    malloc = code[code.index("<malloc>:"):].split("\n\n")[0]
    assert "call" not in malloc and "jmp" in malloc, malloc


@both
def test_program_with_malloc(trace):
    report = check(trace, build("own.c", "-O1"), name="own.c")
    for mark, blocks, size in (("LIVE strdup", 50, 20), ("LIVE calloc", 50, 35), ("LIVE realloc", 50, 44)):
        line = line_of("own.c", mark)
        sites = [site for site in report.sites if is_at(site["stack"], "own.c", line)]
        equal([(site["blocks"], site["bytes"]) for site in sites], [(blocks, blocks * size)], mark)


def spaces(trace, *words):
    report, truth = trace(build("spaces.c"), *words)
    own = [site for site in report.sites if is_own(site, "spaces.c")]
    for mark, size in (("LIVE theirs", 71), ("LIVE ours", 73)):
        site = report.at("spaces.c", mark)
        equal((site["blocks"], site["bytes"], site["allocs"]), (50, 50 * size, 50), mark)
    if not words and trace is trace_attached:
        exact(report, truth)
    mallocs = [f for f in report.run["functions"] if f["name"] == "malloc"]
    equal(len(mallocs), 2, f"mallocs: {mallocs}")
    equal({f["engine"] for f in mallocs}, {engine()}, "engines")


@both
def test_two_libcs(trace):
    spaces(trace)


@both
def test_two_libcs_late(trace):
    spaces(trace, "late")
