# SPDX-License-Identifier: GPL-2.0-or-later
"""
The same counting program on every allocator that memtrace must find by itself: preloaded,
linked, static.  glibc itself is in the case count.
"""
from harness import *

PRELOADED = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc.so.4",
             "tcmalloc_minimal": "libtcmalloc_minimal.so.4", "mimalloc": "libmimalloc.so.2.0"}


def check(trace, program, threads=2, env=None, but=()):
    report, truth = trace(program, str(threads), "300", env=env)
    if trace is trace_attached:
        exact(report, truth)
    else:                       # thread vectors, libstdc++'s pool and the like, which stay
        own = sites_in(report, os.path.basename(program))
        runtime = [site for site in report.sites if site not in own] + sites_of(report, "_dl_")
        exact(report, truth, runtime, but=["old_frees", *but])
    return report


def preloaded(trace, name):
    # tcmalloc allocates, and frees again, while it starts.
    but = ["allocs", "frees", "bytes"] if name.startswith("tcmalloc") else []
    report = check(trace, build("count.c", "-pthread"), env={"LD_PRELOAD": PRELOADED[name]}, but=but)
    modules = {f["module"] for f in report.run["functions"] if f["name"] == "malloc"}
    assert any(PRELOADED[name] in module for module in modules), modules


@both
def test_jemalloc(trace):
    preloaded(trace, "jemalloc")


@both
def test_tcmalloc(trace):
    preloaded(trace, "tcmalloc")


@both
def test_tcmalloc_minimal(trace):
    preloaded(trace, "tcmalloc_minimal")


@both
def test_mimalloc(trace):
    preloaded(trace, "mimalloc")


@both
def test_jemalloc_linked(trace):
    check(trace, build("count.c", "-pthread", "-Wl,--no-as-needed", "-ljemalloc"))


@both
def test_jemalloc_static(trace):
    check(trace, build("count.c", "-pthread", "-Wl,-Bstatic", "-ljemalloc", "-Wl,-Bdynamic",
                       "-lm", "-lstdc++", out="count-static-jemalloc"))


@both
def test_static_glibc(trace):
    check(trace, build("count.c", "-static", "-pthread", out="count-static"))


@both
def test_static_musl(trace):
    need("musl-gcc")
    check(trace, build("count.c", "-static", "-pthread", compiler="musl-gcc", out="count-musl-static"))


@both
def test_dynamic_musl(trace):
    need("musl-gcc")
    check(trace, build("count.c", "-pthread", compiler="musl-gcc", out="count-musl"))
