# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the engine jump must do beyond counting: which functions it takes, where it must not go,
what it may not change.  Most of it holds for breakpoints as well, and is tried on both.
"""
import ctypes
import struct

from harness import *

C_NAMES = ["malloc", "calloc", "realloc", "reallocarray", "free", "cfree", "free_sized",
           "free_aligned_sized", "memalign", "aligned_alloc", "posix_memalign", "valloc", "pvalloc",
           "mallocx", "rallocx", "dallocx", "sdallocx"]
CXX_NAMES = {"_Znw": "operator new", "_Zna": "operator new[]", "_Zdl": "operator delete",
             "_Zda": "operator delete[]"}


# Which functions

def readable(symbol):
    return CXX_NAMES.get(symbol[:4]) or symbol


def defined_in(path, dynamic=True):
    """{address: names} of the allocation functions that a file defines."""
    found = {}
    for line in run("nm", *(["-D"] if dynamic else []), "--defined-only", path).splitlines():
        words = line.split()
        name = words[-1].split("@")[0]
        if len(words) == 3 and words[1] in "TWi" and (name in C_NAMES or name[:4] in CXX_NAMES):
            found.setdefault(int(words[0], 16), set()).add(readable(name))
    assert found, f"no allocation functions in {path}"
    return found


def check_functions(report, module, path, dynamic=True):
    """Every function is on `jump`, each under one of its names; what may throw may stay behind."""
    wanted = defined_in(path, dynamic)
    found = [f for f in report.run["functions"] if module in (f["module"] or "") and
             f["name"] in C_NAMES + list(CXX_NAMES.values())]
    equal(len(found), len(wanted), f"functions {sorted(f['name'] for f in found)} of {wanted}")
    names = set().union(*wanted.values())
    for function in found:
        assert function["name"] in names, function
        if function["engine"] != "jump":
            assert function["name"].startswith("operator new"), function
    for name in ("malloc", "free", "calloc", "realloc"):
        if name in {f["name"] for f in found}:
            equal(engine_of(report, name, module), "jump", name)


def counted(*command, env=None, options=()):
    report, truth = trace_attached(*command, env=env, options=options)
    exact(report, truth)
    return report


@engines("jump")
def test_functions_of_glibc():
    report = counted(build("../functions/functions.c", out="functions"))
    libc = next(f["module"] for f in report.run["functions"] if f["name"] == "malloc")
    check_functions(report, "/libc.so", libc)


def preloaded(name):
    """A counting program on another allocator."""
    installed = glob.glob(f"/usr/lib/*/{name}") + glob.glob(f"/usr/lib*/{name}")
    if not installed:
        raise Skip(f"{name} is not installed")
    library = installed[0]
    report = counted(build("count.c", "-pthread"), "4", "300", env={"LD_PRELOAD": library})
    check_functions(report, name.split(".")[0], library)


@engines("jump")
def test_functions_of_jemalloc():
    preloaded("libjemalloc.so.2")


@engines("jump")
def test_functions_of_tcmalloc():
    preloaded("libtcmalloc.so.4")


@engines("jump")
def test_functions_of_tcmalloc_minimal():
    preloaded("libtcmalloc_minimal.so.4")


@engines("jump")
def test_functions_of_mimalloc():
    preloaded("libmimalloc.so.2.0")


def in_the_program(out, *flags, **options):
    program = build("count.c", "-pthread", *flags, out=out, **options)
    check_functions(counted(program, "4", "300"), out, program, dynamic=False)


@engines("jump")
def test_functions_of_static_glibc():
    in_the_program("count-static", "-static")


@engines("jump")
def test_functions_of_static_musl():
    need("musl-gcc")
    in_the_program("count-musl-static", "-static", compiler="musl-gcc")


@engines("jump")
def test_functions_of_dynamic_musl():
    need("musl-gcc")
    program = build("count.c", "-pthread", compiler="musl-gcc", out="count-musl")
    report = counted(program, "4", "300")
    module = next(f["module"] for f in report.run["functions"] if f["name"] == "malloc")
    check_functions(report, module, module)


@both
@engines("jump")
def test_allocator_that_comes_late(trace):
    report, _ = trace(build("../dlopen/late.c", out="late"),
                      build_library("../dlopen/plugin.c", out="libplugin.so"), "libjemalloc.so.2",
                      env={"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"})
    equal(engine_of(report, "malloc", "jemalloc"), "jump", "malloc of jemalloc")
    equal(engine_of(report, "malloc", "libc.so"), "jump", "malloc of glibc")


# The same results

def places(report):
    """All that a report says of each place, times left out."""
    return sorted([s["function"] or "", s["allocs"], s["frees"], s["blocks"], s["bytes"],
                   [[f["function"] or "", f["file"] or "", f["line"] or 0] for f in s["stack"]]]
                  for s in report.sites)


def check_same(program, *arguments, but=()):
    figures, stacks = [], []
    for name in ("break", "jump"):
        report, truth = trace_attached(program, *arguments, options=["--engine", name])
        exact(report, truth, but=but)
        figures.append({key: report.heap[key] for key in set(report.heap) - {"peak_bytes"}})
        stacks.append(places(report))
    equal(figures[1], figures[0], "figures against break's")
    equal(stacks[1], stacks[0], "places against break's")


@engines("jump")
def test_same_as_break():
    check_same(build("../functions/functions.c", out="functions"))
    check_same(build("../realloc/realloc.c", out="realloc"), "old")
    check_same(build("../cxx/cxx.cc", "-std=c++17", "-fno-allocation-dce", out="cxx"), "throw")
    check_same(build("count.c", "-pthread"), "1", "500")


@both
@engines("jump")
def test_many_calls(trace):
    """Millions from eight threads: none lost, none twice."""
    report, truth = trace(build("count.c", "-pthread"), "8", "200000")
    exact(report, truth, sites_in(report, "ld-linux"), but=["old_frees"])
    assert truth["allocs"] > 500000, truth


# Stacks of all kinds

def on_stack(trace, way):
    report, truth = trace(build("stacks.c", "-pthread", "-Wl,-z,now"), way)
    exact(report, truth, sites_in(report, "ld-linux"))     # the vector of a new thread
    equal(report.at("stacks.c", "LIVE after")["blocks"], 10, "blocks allocated afterwards")
    return report


@both
def test_coroutines_on_allocated_stacks(trace):
    report = on_stack(trace, "heap")
    equal(report.at("stacks.c", "LIVE coroutine")["blocks"], 16, "blocks of coroutines")


@both
def test_coroutines_on_mapped_stacks(trace):
    on_stack(trace, "mapped")


@both
def test_coroutines_on_stacks_that_vanish(trace):
    on_stack(trace, "moved")


@both
def test_smallest_signal_stacks(trace):
    on_stack(trace, "signal")


@both
def test_exhausted_stack(trace):
    on_stack(trace, "full")


@both
def test_all_registers_are_kept(trace):
    report, truth = trace(build("registers.c"))
    exact(report, truth)
    if engine() == "jump":
        equal((engine_of(report, "malloc", "registers"), engine_of(report, "free", "registers")),
              ("jump", "jump"), "engines")


@both
def test_cancelled_threads(trace):
    """Each cancellation can leave a call or two uncounted on either side, not more."""
    report, truth = trace(build("cancel.c", source("arena.c"), "-pthread"))
    for key in ("allocs", "frees"):
        difference = report.heap[key] - truth[key]
        assert abs(difference) <= 3 * 200, f"{key} off by {difference}: {truth}"
    # A call that never ended must not spoil the blocks that come to its address later.
    assert report.heap["unknown_frees"] <= 10, report.heap
    site = report.at("cancel.c", "LIVE")
    equal((site["blocks"], site["allocs"]), (100, 100), "blocks after the cancellations")


# Where it must not go

def without_admin():
    """For a memtrace that may not suspend filters."""
    PR_CAPBSET_DROP, CAP_SYS_ADMIN = 24, 21
    if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0):
        os._exit(120)


def check_filtered(way, **more):
    """By itself memtrace finds an engine that the filter bears."""
    target = Target(build("filtered.c"), way)
    target.expect("ready")
    with unharmed(target.pid):
        report, truth = trace_at_work(target, "--engine", "auto", **more)
    target.finish()
    exact(report, truth)
    return report


@engines("jump")
def test_filter_against_mappings():
    check_filtered("mmap")


@engines("jump")
def test_strict_filter():
    check_filtered("strict")


@engines("jump")
def test_filters_without_privilege():
    for way in ("mmap", "strict"):
        report = check_filtered(way, preexec_fn=without_admin)
        equal(report.run["engine"], "break", "engine")
        said = [line for line in report.stderr.splitlines() if "seccomp" in line]
        equal(len(said), 1, f"lines that say why, in {report.stderr}")


@engines("jump")
def test_refuses_where_it_must_jump():
    """With --engine jump: one clear line, and nothing was done to the target."""
    for way in ("mmap", "strict"):
        target = Target(build("filtered.c"), way)
        target.expect("ready")
        with unharmed(target.pid):
            report = Trace(["-p", str(target.pid), "--engine", "jump", "-d", "1"],
                           preexec_fn=without_admin).wait(WAIT_S)
        equal(report.status, 125, f"exit status {report.stderr}")
        equal(len(report.stderr.splitlines()), 1, f"lines of {report.stderr}")
        assert "seccomp" in report.stderr, report.stderr
        target.go()
        target.truth()
        target.finish()


@engines("jump")
def test_hot_patched_entry():
    """A function whose live bytes are not the file's is never jumped from."""
    report, truth = trace_attached(build("hot.c"), options=("--engine", "auto"))
    if any(f["name"] == "malloc" and "libc.so" in f["module"] for f in report.run["functions"]):
        equal(engine_of(report, "malloc", "libc.so"), "break", "malloc, which is patched already")
        exact(report, truth)
    else:
        assert "malloc" in report.stderr, f"nothing about malloc in {report.stderr}"
    equal(engine_of(report, "free", "libc.so"), "jump", "free, which is as it was")


@engines("jump")
def test_realloc_alone_on_breakpoints():
    """Its two events are of two addresses, of which the newer one may be taken first."""
    for _ in range(3):
        report, truth = trace_attached(build("odd.c"))
        equal(engine_of(report, "realloc", "odd"), "break", "realloc, which is not safe")
        equal(engine_of(report, "free", "libc.so"), "jump", "free, which is")
        exact(report, truth)


# What it leaves

def facts(pid):
    """All of a waiting process that a trace must not change."""
    kept = ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd", "Seccomp", "NoNewPrivs",
            "Cpus_allowed", "CapEff", "State")
    status = {tid: {key: fields.get(key, "").strip() for key in kept}
              for tid, fields in threads(pid).items()}
    calls = {tid: read(f"/proc/{pid}/task/{tid}/syscall") for tid in status}
    descriptors = {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    return {"maps": read(f"/proc/{pid}/maps").splitlines(), "status": status, "calls": calls,
            "descriptors": descriptors}


def test_nothing_is_left():
    """Mappings, masks, handlers, registers at the call that it waits in."""
    target = Target(build("count.c", "-pthread"), "6", "100")
    target.expect("ready")
    time.sleep(0.1)     # its threads go to sleep
    before = facts(target.pid)
    for _ in range(5):
        with unharmed(target.pid):
            attach(target.pid).stop()
        time.sleep(0.05)
        now = facts(target.pid)
        for key in before:
            equal(now[key], before[key], key)
    target.go()
    target.truth()
    target.finish()


def killed_by_itself(threads, calls):
    """(report, the victim's counts) of a target that ends by SIGKILL in the middle of its work."""
    path = os.path.abspath("counts")
    target = Target(build("suicide.c", "-pthread"), path, str(threads), str(calls))
    target.expect("ready")
    trace = attach(target.pid)
    target.go()
    report = trace.wait()
    equal(report.status, 0, f"exit status {report.stderr}")
    equal(report.target["exit"], {"signal": 9}, "end of the target")
    equal(target.process.wait(WAIT_S), -9, "the target's own end")
    return report, struct.unpack("4Q", read(path, "rb"))


def test_killed_target_between_calls():
    """Nothing recorded is lost."""
    report, (mallocs, _, frees, _) = killed_by_itself(1, 20000)
    equal((report.heap["allocs"], report.heap["frees"]), (mallocs, frees), "calls")


def test_killed_target_in_the_middle_of_calls():
    """Those that had ended are counted, those that had not begun are not.  The runtime may
    allocate a vector for each thread."""
    for _ in range(3):
        report, (_, mallocs, _, frees) = killed_by_itself(8, 30000)
        runtime = sum(site["allocs"] for site in sites_in(report, "ld-linux"))
        allocs = report.heap["allocs"] - runtime
        assert mallocs <= allocs <= mallocs + 8, (mallocs, allocs)
        assert frees <= report.heap["frees"] <= frees + 8, (frees, report.heap)
