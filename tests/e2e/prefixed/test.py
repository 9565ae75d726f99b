# SPDX-License-Identifier: GPL-2.0-or-later
"""
Allocators whose functions have a prefix: jemalloc as a library or Rust program has it, gperftools'
tc_ and mimalloc's mi_.  The last two have malloc too, often the same code under two names: that is
one call.
"""
from harness import *

JEMALLOC = ["malloc", "calloc", "realloc", "free", "aligned_alloc", "memalign", "valloc", "pvalloc",
            "posix_memalign", "mallocx", "rallocx", "dallocx", "sdallocx"]


def is_own(site):
    return any(os.path.basename(frame["file"] or "") == "prefixed.c" for frame in site["stack"])


def check(trace, program, family):
    report, truth = trace(program)
    but = [] if trace is trace_attached else ["old_frees"]
    if family == "tc" and trace is trace_launched:
        # It allocates, and frees again, while it starts.
        but += ["allocs", "frees", "bytes"]
    exact(report, truth, [site for site in report.sites if not is_own(site)], but=but)
    for mark, blocks, size in (("LIVE own", 1, 60), ("LIVE malloc", 1, 64), (f"LIVE {family} ", 1, 70)):
        site = report.at("prefixed.c", mark)
        equal((site["blocks"], site["bytes"], site["allocs"]), (blocks, size, 21), mark)
    return report


def archive(prefix):
    """The static jemalloc, its public names with a prefix as its configure script would do it."""
    flags = [f"--redefine-sym={name}={prefix}{name}" for name in JEMALLOC]
    out = os.path.abspath(f"lib{prefix}.a")
    run("objcopy", *flags, run("cc", "-print-file-name=libjemalloc_pic.a").strip(), out)
    return out


def jemalloc(trace, prefix, *flags, out):
    program = build("prefixed.c", f"-DJEMALLOC={prefix}", archive(prefix), "-pthread", "-lm", *flags,
                    out=out)
    report = check(trace, program, "je")
    equal(engine_of(report, prefix + "malloc", out), engine(), "engine of its malloc")


@both
def test_je(trace):
    need("objcopy")
    jemalloc(trace, "je_", out="je")


@both
def test_rjem(trace):
    """Local symbols of a stripped program's kind are not there; those of a linker script are."""
    need("objcopy")
    jemalloc(trace, "_rjem_", "-Wl,--exclude-libs,ALL", out="rjem")


@both
def test_je_local(trace):
    """A library that shows nothing of its allocator: the names are local ones of .symtab."""
    need("objcopy")
    with open("nothing.map", "w") as script:
        script.write("{ global: work; local: *; };")
    library = build_library("prefixed.c", "-DJEMALLOC=je_", archive("je_"), "-Dmain=work",
                            "-Wl,--version-script,nothing.map", "-pthread", "-lm", out="libjelocal.so")
    program = build("caller.c", library, out="je-local")
    report, truth = trace(program)
    site = report.at("prefixed.c", "LIVE own")
    equal((site["blocks"], site["bytes"], site["allocs"]), (1, 60, 21), "own")
    equal(engine_of(report, "je_malloc", "libjelocal"), engine(), "je_malloc's engine")
    exact(report, truth, but=[] if trace is trace_attached else ["old_frees"])


@both
def test_tcmalloc(trace):
    check(trace, build("prefixed.c", "-DTCMALLOC", "-l:libtcmalloc_minimal.so.4", out="tc"),
          "tc")


@both
def test_mimalloc(trace):
    check(trace, build("prefixed.c", "-DMIMALLOC", headers(), "-l:libmimalloc.so.2.0", out="mi"),
          "mi")


def headers():
    found = glob.glob("/usr/include/mimalloc.h") + glob.glob("/usr/include/mimalloc*/mimalloc.h") + \
        glob.glob("/usr/lib/*/mimalloc*/include/mimalloc.h")
    if not found:
        raise Skip("mimalloc.h is not installed")
    return "-I" + os.path.dirname(found[0])
