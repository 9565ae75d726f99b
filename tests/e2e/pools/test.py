# SPDX-License-Identifier: GPL-2.0-or-later
"""
Allocators of the program's own, above malloc, whose functions --alloc and --free name.  What they
do inside does not count, and their blocks are where they are called.
"""
from harness import *

FUNCTIONS = ["--alloc", "pool_get:2", "--free", "pool_put:2", "--alloc", "node_new:0",
             "--free", "node_free", "--alloc", "many_get:6", "--free", "last_put:6",
             "--alloc", "x_malloc", "--free=x_free:1"]
LIVE = {"get": ("pool_get", 40, 60), "node": ("node_new", 1, 60), "many": ("many_get", 64, 60),
        "wrapped": ("x_malloc", 100, 60), "carved": ("pool_get", 48, 1)}


def check_pools(trace, program, threads=1, name="pools.c", options=FUNCTIONS):
    report, truth = trace(program, str(threads), options=options)
    runtime = [site for site in report.sites if not sites_here(site, name)]     # thread vectors
    exact(report, truth, runtime, but=[] if trace is trace_attached else ["old_frees"])
    assert trace is trace_launched or not runtime, tops(report)
    for mark, (function, size, blocks) in LIVE.items():
        site = report.at(name, f"LIVE {mark} ")
        equal((site["function"], site["blocks"], site["bytes"]),
              (function, threads * blocks, threads * blocks * size), mark)
    assert "no such function" not in report.stderr, report.stderr
    return report


@both
def test_pools(trace):
    check_pools(trace, build("pools.c", "-pthread"))


@both
def test_pools_of_threads(trace):
    check_pools(trace, build("pools.c", "-pthread"), 8)


@both
def test_pools_optimized(trace):
    """Tail calls instead of frames, clones and copies of static functions."""
    check_pools(trace, build("pools.c", "-pthread", "-O2", out="pools-fast"))


@both
def test_pools_static(trace):
    check_pools(trace, build("pools.c", "-pthread", "-static", out="pools-static"))


@both
def test_pools_beside_cxx(trace):
    """In a file with code for exceptions they are on breakpoints, malloc is on jumps."""
    run("g++", "-c", "-x", "c++", "-", "-o", "thrower.o", "-fPIC", *CFLAGS, input=THROWER)
    report = check_pools(trace, build("pools.c", "-pthread", os.path.abspath("thrower.o"), "-O2",
                                      "-lstdc++", out="pools-cxx"), 4)
    equal(engine_of(report, "pool_get"), "break", "engine of pool_get")
    equal(engine_of(report, "malloc", "libc.so"), engine(), "engine of malloc")


THROWER = "int thrower(int n) { try { if (n) throw n; } catch (int) { return 1; } return 0; }"


# Libraries that come and go

LATE = ["--alloc", "late_get", "--free", "late_put"]


@both
def test_library(trace):
    report, truth = trace(build("late.c"), build_library("library.c"), "20", options=[*LATE, "-v"])
    site = report.at("late.c", "LIVE late")
    equal((site["allocs"], site["frees"], site["bytes"]),
          (truth["allocs"], truth["frees"], truth["live_bytes"]), "site")
    equal(engine_of(report, "late_get", "liblibrary.so"), engine(), "late_get's engine")
    assert re.search(r"late_get is at 0x[0-9a-f]+ in .*liblibrary\.so", report.stderr), report.stderr
    if trace is trace_attached:
        for option in ("--alloc late_get", "--free late_put"):
            assert re.search(f"pid .* {option}: no such function in any of its .* files; a library "
                             "that is loaded later may have it", report.stderr), report.stderr
    else:
        assert "no such function" not in report.stderr, report.stderr


# What cannot be found

def test_missing():
    library = build_library("library.c")
    options = ["--alloc", "nowhere_to_be_found", "--alloc", "late_number", "--free=late_chosen",
               "--alloc", "late_get"]
    report, _ = trace_launched(build("late.c"), library, "2", options=options)
    for words in (r"--alloc nowhere_to_be_found: no such function in any of its \d+ files$",
                  r"--alloc late_number: is no function in .*liblibrary\.so$",
                  r"--free late_chosen: is chosen at run time \(an ifunc\); give .* liblibrary\.so$"
                  .replace(r".* lib", r".*lib")):
        assert re.search("memtrace: pid \\d+: " + words, report.stderr, re.M), report.stderr
    assert "late_get:" not in report.stderr, report.stderr


# Exceptions

CXX = ["--alloc", "_ZN4Pool3getEm:2", "--free=_ZN4Pool3putEPv:2", "--alloc", "plain_get:2"]


@both
def test_exceptions(trace):
    report, truth = trace(build("throws.cc"), options=CXX)
    for mark, blocks, size in (("LIVE get", 20 * 10, 48), ("LIVE plain", 20 * 10, 40),
                               ("LIVE after", 200, 70)):
        site = report.at("throws.cc", mark)
        equal((site["blocks"], site["bytes"]), (blocks, blocks * size), mark)
    if engine() == "jump":
        equal(engine_of(report, "_ZN4Pool3getEm"), "break", "engine of what throws")
        equal(engine_of(report, "plain_get"), "break", "engine of what may throw")


# In the middle of everything

RESTLESS = ["--alloc", "pool_get:2", "--free", "pool_put:2"]


def restless():
    return build("restless.c", "-pthread")


@both
def test_restless(trace):
    report, truth = trace(restless(), "3000" if engine() == "jump" else "300", options=RESTLESS)
    exact(report, truth, [site for site in report.sites if not sites_here(site)],
          but=[] if trace is trace_attached else ["old_frees"])


def sites_here(site, name="restless.c"):
    return bool(site["stack"]) and os.path.basename(site["stack"][0]["file"] or "") == name


def running():
    target = Target(restless())
    target.expect("ready")
    target.go()
    target.expect("running")
    return target


def test_attached_again_and_again():
    target = running()
    for i in range(12):
        with unharmed(target.pid):
            report = Trace(["-p", str(target.pid), "-q", "-d", f"0.{i % 4}5", *RESTLESS]).wait()
            equal(report.status, 0, f"exit status of {i}: {report.stderr}")
            assert {"pool_get", "malloc"} <= {f["name"] for f in report.run["functions"]}
    target.go()
    target.expect("truth")
    target.finish()


def test_switched():
    """The functions come from the file that has the switch."""
    def write(on):
        with open("pools.conf", "w") as file:
            file.write(f"alloc = pool_get:2\nfree = pool_put:2   # the object\nmemleak = {on}\n")

    target = running()
    write(1)
    with unharmed(target.pid):
        trace = attach(target.pid, "-c", "pools.conf")
        for i in range(6):
            time.sleep(0.2)
            write(i % 2)
            trace.until(lambda: trace.stderr().count("memleak =") > i, f"turn {i}")
        report = trace.stop()
    names = {f["name"]: f["engine"] for f in report.run["functions"]}
    equal((names.get("pool_get"), names.get("pool_put")), (engine(), engine()), "engines")
    target.go()
    target.expect("truth")
    target.finish()


# Samples

@engines("jump")
def test_sampled():
    report, truth = trace_attached(restless(), "20000", options=[*RESTLESS, "--sample", "4K"])
    for key, error in (("allocs", "allocs_error"),
                       ("bytes_allocated", "bytes_allocated_error")):
        expected = truth["bytes" if key == "bytes_allocated" else key]
        assert abs(report.heap[key] - expected) <= 5 * report.heap[error] + 2, \
            (key, report.heap, truth)
    equal(report.run["dropped"], 0, "dropped")
